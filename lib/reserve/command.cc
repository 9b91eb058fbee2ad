// SPDX-License-Identifier: Apache-2.0
#include "reserve/command.h"

#include "base/error.h"

namespace rackline::reserve {
namespace {

constexpr Second kDay = Second{24} * 3600;

Error misused(const std::string& what, const std::string& why, const std::string& hint = {}) {
  return {Status::kUsage, "read the command line", what, why, hint};
}

// "cpu=4,memory=1.5", or one value, under no name, for all that the pool has.
template <class T>
std::map<std::string, std::int64_t> figures(const std::string& text, const T& parse) {
  std::map<std::string, std::int64_t> found;
  if (text.find('=') == std::string::npos) {
    found[""] = parse(text);
    return found;
  }
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    const auto equals = one.find('=');
    if (equals == 0 || equals == std::string_view::npos) throw misused(text, "expected RESOURCE=NUMBER,...");
    if (!found.emplace(one.substr(0, equals), parse(std::string(one.substr(equals + 1)))).second) {
      throw misused(text, std::string(one.substr(0, equals)) + " stands there twice");
    }
  }
  return found;
}

std::int64_t parse_shares(const std::string& text) {
  if (text.empty() || text.size() > 7 || text.find_first_not_of("0123456789") != std::string::npos) {
    throw misused(text, "shares are a whole number");
  }
  return std::stoll(text);
}

// "cpu=32,memory=none": amounts, and those that are taken away.
Quantities limits_of(const std::string& text, std::vector<std::string>& none) {
  std::string kept;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    if (one.ends_with("=none")) {
      none.emplace_back(one.substr(0, one.size() - 5));
    } else {
      kept += (kept.empty() ? "" : ",") + std::string(one);
    }
  }
  return kept.empty() ? Quantities{} : parse_amounts(kept, true);
}

}  // namespace

Period Command::period(Second now) const {
  const bool timed = length.count() != 0;
  if (timed && !until.empty()) throw misused("--for", "there is an --until, too");
  return read_period({from, until, every, timed ? std::optional(length) : std::nullopt}, now);
}

Period Command::extension(Second now) const {
  const bool bounded = !until.empty() || length.count() != 0;
  if (!bounded && !forever)
    throw misused("extend", "it does not say how long", "say --for, --until or --forever");
  if (bounded && forever) throw misused("--forever", "there is --for or --until, too");
  return period(now);
}

ClaimRequest Command::claim(Second now) const {
  if (atomic) throw misused("--atomic", "it is for a stream of requests", "reserve claim - --atomic");
  if (owner.empty()) throw misused("claim", "--owner is missing");
  if (amount.empty())
    throw misused("claim", "--amount is missing", "for example --amount cpu=4,memory=16GiB");
  ClaimRequest request;
  request.id = id;
  request.pool = pool;
  request.owner = owner;
  request.amounts = parse_amounts(amount);
  request.period = period(now);
  request.priority = priority;
  request.tags = tags;
  request.vm = vm;
  request.host = host;
  if (!limit.empty()) request.limits = parse_amounts(limit);
  if (!headroom.empty()) request.headroom = parse_headroom(headroom);
  request.borrow = borrow;
  request.lendable = lendable;
  request.preempt = preempt;
  return request;
}

ChangeRequest Command::change(Second now) const {
  const bool bounded = !until.empty() || length.count() != 0;
  if (!bounded && !forever && from.empty() && amount.empty() && !new_priority) {
    throw misused("change", "it does not say what",
                  "say --from, --until, --for, --forever, --amount or --priority");
  }
  if (bounded && forever) throw misused("--forever", "there is --for or --until, too");
  ChangeRequest request;
  request.id = ids.front();
  request.period = period(now);
  request.forever = forever;
  if (!amount.empty()) request.amounts = parse_amounts(amount);
  request.priority = new_priority;
  return request;
}

void Command::check_release() const {
  const bool many = !owner.empty() || !tag.empty();
  if (ids.empty() && !many) throw misused("release", "it does not say what", "an id, --owner or --tag");
  if (!ids.empty() && many) throw misused("release", "it has ids, and --owner or --tag, too");
}

void Command::check_stream() const {
  if (!owner.empty() || !amount.empty() || !id.empty()) {
    throw misused(
        "claim -", "the requests of a stream say themselves what they want",
        "records such as {\"kind\":\"reservation_request\",\"pool\":\"rack1\",\"owner\":\"web\",\"amount\":"
        "\"cpu=4\"}");
  }
}

LoanRequest Command::loan(Second now) const {
  if (amount.empty())
    throw misused("borrow", "--amount is missing", "for example --amount cpu=4,memory=16GiB");
  LoanRequest request;
  request.id = id;
  request.borrower = pool;
  request.lender = lender;
  request.owner = owner;
  request.amounts = parse_amounts(amount);
  request.period = period(now);
  request.priority = priority;
  return request;
}

ReclaimRequest Command::reclaim() const {
  ReclaimRequest request;
  request.lender = pool;
  request.borrower = lender;
  if (!amount.empty()) request.amounts = parse_amounts(amount);
  request.grace = whole_seconds(grace);
  if (part && amount.empty()) throw misused("--part", "there is no --amount");
  request.part = part;
  return request;
}

PoolRequest Command::pool_request() const {
  PoolRequest request;
  request.name = pool;
  request.parent = parent;
  if (!capacity.empty()) request.capacity = parse_amounts(capacity, true);
  if (!reservation.empty()) request.reservation = parse_amounts(reservation, true);
  request.limit = limits_of(limit, request.no_limit);
  request.borrow_limit = limits_of(borrow_limit, request.no_borrow_limit);
  if (!never_lent.empty()) request.never_lent = parse_amounts(never_lent, true);
  if (!overcommit.empty()) request.ratios = figures(overcommit, parse_ratio);
  if (!shares.empty()) request.shares = figures(shares, parse_shares);
  if (!hosts.empty()) request.hosts = hosts;
  if (!headroom.empty()) request.headroom = parse_headroom(headroom);
  if (expandable && fixed) throw misused("--expandable", "there is --fixed, too");
  if (expandable) request.expandable = true;
  if (fixed) request.expandable = false;
  return request;
}

Second Command::at(Second now) const {
  return time.empty() ? now : parse_instant(time, now);
}

Filter Command::filter(Second now) const {
  Filter filter;
  filter.pool = pool;
  filter.owner = owner;
  filter.tag = tag;
  filter.vm = vm;
  filter.host = host;
  filter.id = id;
  filter.state = state;
  filter.ended = all || state == "ended" || state == "released" || state == "reclaimed" ||
                 state == "changed" || state == "preempted";
  if (!time.empty()) filter.span = Span{at(now), at(now) + 1};
  if (!from.empty() || !until.empty()) {
    if (!time.empty()) throw misused("--at", "there is --from or --until, too");
    const Second begin = from.empty() ? now : parse_instant(from, now);
    const Second end = until.empty() ? kForever : parse_end(until, now, begin);
    if (end <= begin) throw misused("--until", "it is not after --from");
    filter.span = Span{begin, end};
  }
  return filter;
}

Window Command::window(Second now) const {
  Window window;
  window.from = from.empty() ? now : parse_instant(from, now);
  window.until = until.empty() ? window.from + 7 * kDay : parse_end(until, now, window.from);
  if (window.until <= window.from) throw misused("--until", "it is not after --from");
  return window;
}

}  // namespace rackline::reserve
