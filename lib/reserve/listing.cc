// SPDX-License-Identifier: Apache-2.0
#include "reserve/listing.h"

#include <algorithm>

#include "base/error.h"
#include "reserve/ledger_store.h"

namespace rackline::reserve {
namespace {

record::Time time_of(Second at) {
  return record::Time{std::chrono::seconds{at}};
}
std::optional<record::Time> end_of(Second at) {
  return at >= kForever ? std::nullopt : std::optional(time_of(at));
}

record::Text text_of(const std::string& text) {
  return text.empty() ? record::Text{} : record::Text{text};
}
record::List list_of(const std::vector<std::string>& list) {
  return list.empty() ? record::List{} : record::List{list};
}

template <class T>
bool within(const T& item, const Span& span) {
  return std::any_of(item.spans.begin(), item.spans.end(),
                     [&](const Span& each) { return each.from < span.until && span.from < each.until; });
}

bool wanted(const Filter& filter, const Claim& claim) {
  const auto has = [](const std::string& want, const std::string& is) { return want.empty() || want == is; };
  return has(filter.owner, claim.owner) && has(filter.vm, claim.vm) && has(filter.host, claim.host) &&
         has(filter.id, claim.id) &&
         (filter.tag.empty() ||
          std::find(claim.tags.begin(), claim.tags.end(), filter.tag) != claim.tags.end()) &&
         (!filter.span || within(claim, *filter.span));
}

bool wanted(const Filter& filter, const Loan& loan) {
  // A loan has neither tags nor a VM.
  return filter.tag.empty() && filter.vm.empty() && filter.host.empty() &&
         (filter.owner.empty() || filter.owner == loan.owner) &&
         (filter.id.empty() || filter.id == loan.id || filter.id == loan.claim) &&
         (filter.pool.empty() || filter.pool == loan.lender || filter.pool == loan.borrower) &&
         (!filter.span || within(loan, *filter.span));
}

template <class T>
bool in_state(const Filter& filter, const T& item, Second now) {
  return filter.state.empty() || state_of(item.spans, item.ended, now) == filter.state;
}

}  // namespace

void list(store::Store& store, const Filter& filter, Second now, const Listing& to) {
  const Second after = filter.ended ? -1 : filter.span ? filter.span->from : now;
  const auto claims = [&](const std::string& first, const std::string& last) {
    store.scan(first, last, [&](const store::Entry& entry) {
      const Claim claim = claim_from(entry.key, entry.value);
      if (wanted(filter, claim) && in_state(filter, claim, now)) to.claim(claim);
      return true;
    });
  };
  if (!filter.pool.empty()) {
    claims(ending_after(claims_prefix(filter.pool), after), above(claims_prefix(filter.pool)));
  } else if (filter.ended) {
    // Of pools that are no more, too.
    claims("reserve/c/", above("reserve/c/"));
  } else {
    for (const auto& pool : all_pools(store)) {
      claims(ending_after(claims_prefix(pool.name), after), above(claims_prefix(pool.name)));
    }
  }
  store.scan("reserve/l/", above("reserve/l/"), [&](const store::Entry& entry) {
    const Loan loan = loan_from(entry.key, entry.value);
    if ((filter.ended || loan.until() > after) && wanted(filter, loan) && in_state(filter, loan, now))
      to.loan(loan);
    return true;
  });
}

Records::Records(const std::vector<Pool>& pools) {
  for (const auto& pool : pools) add(pool);
}

Unit Records::unit(const std::string& pool, const std::string& resource) const {
  if (const auto found = pools_.find(pool); found != pools_.end()) {
    const auto about = found->second.resources.find(resource);
    if (about != found->second.resources.end()) return about->second.unit;
  }
  return unit_of(resource).value_or(Unit::kPieces);
}

std::vector<std::string> Records::texts(const std::string& pool, const Amounts& amounts,
                                        bool for_people) const {
  std::vector<std::string> list;
  for (const auto& [name, amount] : amounts) {
    const Unit in = unit(pool, name);
    list.push_back(name + "=" + (for_people ? readable(amount, in) : plain(amount, in)));
  }
  return list;
}

void Records::put(record::Amounts& to, const std::string& pool, const Amounts& amounts) const {
  for (const auto& [name, amount] : amounts) {
    if (name == "cpu") to.cpu_cores = to_number(amount, Unit::kCores);
    if (name == "memory") to.memory_bytes = amount;
    if (name == "disk") to.disk_bytes = amount;
  }
  to.amounts = texts(pool, amounts, false);
}

std::vector<std::string> Records::hosts(const std::string& pool) const {
  std::size_t steps = 0;
  for (std::string at = pool; !at.empty() && steps <= pools_.size(); ++steps) {
    const auto found = pools_.find(at);
    if (found == pools_.end()) break;
    if (!found->second.hosts.empty()) return found->second.hosts;
    at = found->second.parent;
  }
  return {};
}

record::Reservation Records::reservation(const Claim& claim, Second now) const {
  record::Reservation to;
  to.id = claim.id;
  to.pool = claim.pool;
  to.owner = claim.owner;
  to.state = state_of(claim.spans, claim.ended, now);
  to.from = time_of(claim.from);
  to.until = end_of(claim.spans.empty() ? claim.from : claim.until());
  to.every = text_of(claim.every);
  to.zone = text_of(claim.zone);
  if (!claim.every.empty()) to.occurrences = static_cast<std::int64_t>(claim.spans.size());
  to.priority = claim.priority;
  put(to, claim.pool, claim.amounts);
  to.vm = text_of(claim.vm);
  to.hosts = list_of(hosts(claim.pool));
  // What is granted from a pool of one host is held on that host.
  to.host = text_of(claim.host);
  if (!to.host && to.hosts && to.hosts->size() == 1) to.host = to.hosts->front();
  to.tags = list_of(claim.tags);
  to.limits = list_of(texts(claim.pool, claim.limits, false));
  to.borrowed = list_of(claim.loans);
  if (claim.lendable) to.lendable = true;
  return to;
}

record::Reservation Records::reservation(const Granted& granted, Second now) const {
  auto to = reservation(granted.claim, now);
  to.outcome = granted.outcome;
  std::vector<std::string> borrowed;
  for (const auto& loan : granted.loans) {
    for (const auto& text : texts(loan.lender, loan.amounts, false)) {
      borrowed.push_back(text + " from " + loan.lender);
    }
  }
  if (!borrowed.empty()) to.borrowed = borrowed;
  std::string notes;
  for (const auto& note : granted.notes) notes += (notes.empty() ? "" : "; ") + note;
  to.reason = text_of(notes);
  return to;
}

record::Loan Records::loan(const Loan& loan, Second now) const {
  record::Loan to;
  to.id = loan.id;
  to.lender = loan.lender;
  to.borrower = loan.borrower;
  to.owner = text_of(loan.owner);
  to.state = state_of(loan.spans, loan.ended, now);
  to.from = time_of(loan.from);
  to.until = end_of(loan.spans.empty() ? loan.from : loan.until());
  to.priority = loan.priority;
  put(to, loan.lender, loan.amounts);
  to.reservation = text_of(loan.claim);
  return to;
}

record::RequestRefused Records::refused(const Refusal& refusal) const {
  record::RequestRefused to;
  to.id = text_of(refusal.id);
  to.request = refusal.request;
  to.constraint = refusal.constraint;
  to.pool = text_of(refusal.pool);
  to.owner = text_of(refusal.owner);
  to.resource = text_of(refusal.resource);
  if (refusal.unit) {
    to.unit = std::string(unit_name(*refusal.unit));
    const auto number = [&](const std::optional<std::int64_t>& base) {
      return base ? record::Number{to_number(*base, *refusal.unit)} : record::Number{};
    };
    to.requested = number(refusal.requested);
    to.available = number(refusal.available);
    to.missing = number(refusal.missing);
  }
  if (refusal.conflict_at) to.conflict_at = time_of(*refusal.conflict_at);
  if (refusal.fits_at) to.fits_at = time_of(*refusal.fits_at);
  to.held_by = list_of(refusal.held_by);
  to.waits_for = list_of(refusal.waits_for);
  to.shortages = list_of(refusal.shortages);
  to.reason = refusal.reason;
  return to;
}

record::ReclaimHit Records::hit(const Hit& hit) const {
  record::ReclaimHit to;
  to.id = hit.id;
  to.hit = hit.is_loan ? "loan" : "reservation";
  to.lender = hit.lender;
  to.pool = hit.pool;
  to.owner = text_of(hit.owner);
  to.priority = hit.priority;
  put(to, hit.pool, hit.amounts);
  to.until_before = end_of(hit.until_before);
  to.until = time_of(hit.until);
  return to;
}

record::PoolShare Records::share(const Pool& pool, const std::string& resource) const {
  const Resource& about = pool.resources.at(resource);
  const auto number = [&](std::int64_t base) { return to_number(base, about.unit); };
  const auto maybe = [&](const std::optional<std::int64_t>& base) {
    return base ? record::Number{number(*base)} : record::Number{};
  };
  record::PoolShare to;
  to.pool = pool.name;
  to.parent = text_of(pool.parent);
  to.resource = resource;
  to.unit = std::string(unit_name(about.unit));
  to.capacity = number(about.capacity);
  to.overcommit_ratio = static_cast<double>(about.ratio) / 1000;
  to.size = number(about.size());
  to.reserved = number(about.given);
  to.limit = maybe(about.limit);
  to.borrow_limit = maybe(about.borrow_limit);
  if (about.never_lent > 0) to.never_lent = number(about.never_lent);
  to.shares = about.shares;
  if (about.expandable && !pool.parent.empty()) to.expandable = true;
  to.hosts = list_of(pool.hosts);
  return to;
}

record::PoolShare Records::share(const Pool& pool, const std::string& resource,
                                 const PoolState& state) const {
  auto to = share(pool, resource);
  const Unit in = pool.resources.at(resource).unit;
  to.granted = to_number(state.granted, in);
  to.borrowed = to_number(state.borrowed, in);
  to.lent = to_number(state.lent, in);
  to.free = to_number(state.free, in);
  to.lendable = to_number(state.lendable, in);
  if (state.headroom > 0) to.headroom = to_number(state.headroom, in);
  return to;
}

ClaimRequest request_from(const record::ReservationRequest& record, Second now) {
  ClaimRequest request;
  request.id = record.id.value_or("");
  request.pool = record.pool;
  request.owner = record.owner;
  if (record.amount) request.amounts = parse_amounts(*record.amount);
  const auto add = [&](const std::string& resource, Unit unit, std::optional<double> number) {
    if (!number) return;
    const Quantity quantity{from_number(*number, unit, resource), unit};
    if (!request.amounts.emplace(resource, quantity).second) {
      throw Error(Status::kUsage, "read claim", record.pool, resource + " stands there twice");
    }
  };
  add("cpu", Unit::kCores, record.cpu_cores);
  const auto whole = [](const record::Integer& bytes) {
    return bytes ? std::optional(static_cast<double>(*bytes)) : std::nullopt;
  };
  add("memory", Unit::kBytes, whole(record.memory_bytes));
  add("disk", Unit::kBytes, whole(record.disk_bytes));
  if (record.until && record.duration_ms) {
    throw Error(Status::kUsage, "read claim", record.pool, "it has an end and a duration");
  }
  if (record.from == "" || record.until == "") {
    throw Error(Status::kUsage, "read claim", record.pool, "a time is empty");
  }
  request.period =
      read_period({record.from.value_or(""), record.until.value_or(""), record.every.value_or(""),
                   record.duration_ms ? std::optional(Milliseconds{*record.duration_ms}) : std::nullopt},
                  now);
  request.priority = record.priority.value_or(0);
  request.tags = record.tags.value_or(std::vector<std::string>{});
  request.vm = record.vm.value_or("");
  request.host = record.host.value_or("");
  if (record.limit) request.limits = parse_amounts(*record.limit);
  if (record.headroom) request.headroom = parse_headroom(*record.headroom);
  request.borrow = record.borrow.value_or(false);
  request.lendable = record.lendable.value_or(false);
  request.preempt = record.preempt.value_or(false);
  return request;
}

}  // namespace rackline::reserve
