// SPDX-License-Identifier: Apache-2.0
#include "reserve/model.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "store/describe.h"

namespace rackline::reserve {
namespace {

using store::kOmitted;

template <class D>
D read(const std::string& key, const std::string& text) {
  auto document = store::from_text<D>(text);
  if (!document) {
    throw Error(Status::kUnreachable, "read ledger", key,
                "a field is missing or has another type than it should", "see reserve check");
  }
  return *std::move(document);
}

std::string until_digits(Second until) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%010llx",
                static_cast<unsigned long long>(std::max<Second>(until, 0)));
  return digits;
}

}  // namespace

bool Span::pass(store::Value& value) {
  std::vector<Second> both{from, until};
  if (value.reading()) both.clear();
  if (!store::pass(value, both) || both.size() != 2) return false;
  *this = {both[0], both[1]};
  return true;
}
const store::Fields Resource::kFields{
    FIELD(Resource, unit, store::kRequired, store::Words<kUnitNames>),
    FIELD(Resource, capacity),
    FIELD(Resource, ratio),
    FIELD(Resource, given),
    FIELD(Resource, limit, kOmitted),
    FIELD(Resource, borrow_limit, kOmitted),
    FIELD(Resource, shares, kOmitted),
    FIELD(Resource, never_lent, kOmitted),
    FIELD(Resource, expandable, kOmitted),
};
const store::Fields Pool::kFields{
    FIELD(Pool, name),
    FIELD(Pool, parent, kOmitted),
    FIELD(Pool, hosts, kOmitted),
    FIELD(Pool, children, kOmitted),
    FIELD(Pool, tracks_use, kOmitted),
    FIELD(Pool, since),
    FIELD(Pool, made, kOmitted),
    FIELD_AT(Pool, "headroom_largest_host", headroom.largest_host, kOmitted),
    FIELD_AT(Pool, "headroom", headroom.amounts, kOmitted),
    FIELD(Pool, resources),
};
const store::Fields Claim::kFields{
    FIELD(Claim, id),
    FIELD(Claim, pool),
    FIELD(Claim, owner),
    FIELD(Claim, priority),
    FIELD(Claim, amounts),
    FIELD(Claim, spans),
    FIELD(Claim, made),
    FIELD(Claim, from),
    FIELD(Claim, every, kOmitted),
    FIELD(Claim, zone, kOmitted),
    FIELD(Claim, tags, kOmitted),
    FIELD(Claim, loans, kOmitted),
    FIELD(Claim, vm, kOmitted),
    FIELD(Claim, host, kOmitted),
    FIELD(Claim, limits, kOmitted),
    FIELD(Claim, borrow, kOmitted),
    FIELD(Claim, lendable, kOmitted),
    FIELD(Claim, ended, kOmitted),
    FIELD_AT(Claim, "asked_from", asked.from, kOmitted),
    FIELD_AT(Claim, "asked_until", asked.until, kOmitted),
    FIELD_AT(Claim, "asked_length", asked.length, kOmitted),
};
const store::Fields Loan::kFields{
    FIELD(Loan, id),
    FIELD(Loan, lender),
    FIELD(Loan, borrower),
    FIELD(Loan, owner, kOmitted),
    FIELD(Loan, priority),
    FIELD(Loan, amounts),
    FIELD(Loan, spans),
    FIELD(Loan, made),
    FIELD(Loan, from),
    FIELD(Loan, claim, kOmitted),
    FIELD(Loan, ended, kOmitted),
    FIELD_AT(Loan, "asked_from", asked.from, kOmitted),
    FIELD_AT(Loan, "asked_until", asked.until, kOmitted),
    FIELD_AT(Loan, "asked_length", asked.length, kOmitted),
    FIELD(Loan, others, kOmitted),
};
const store::Fields Index::kFields{FIELD(Index, key)};

Headroom parse_headroom(std::string_view text) {
  Headroom headroom;
  if (text == "none") return headroom;
  if (text == "N+1" || text == "n+1") {
    headroom.largest_host = true;
  } else {
    headroom.amounts = bases(parse_amounts(text));
  }
  return headroom;
}

std::string headroom_text(const Headroom& headroom, const std::map<std::string, Resource>& resources) {
  if (headroom.largest_host) return "N+1";
  std::string text;
  for (const auto& [name, amount] : headroom.amounts) {
    const auto found = resources.find(name);
    text += (text.empty() ? "" : ",") + name + "=" +
            plain(amount, found == resources.end() ? Unit::kPieces : found->second.unit);
  }
  return text;
}

std::string state_of(const std::vector<Span>& spans, const std::string& ended, Second now) {
  if (spans.empty() || spans.back().until <= now) return ended.empty() ? "ended" : ended;
  if (spans.front().from > now) return "pending";
  const bool within = std::any_of(spans.begin(), spans.end(),
                                  [now](const Span& s) { return s.from <= now && now < s.until; });
  return within ? "active" : "idle";
}

std::vector<Span> before(const std::vector<Span>& spans, Second end) {
  std::vector<Span> kept;
  for (const auto& span : spans) {
    if (span.from < end) kept.push_back({span.from, std::min(span.until, end)});
  }
  return kept;
}

std::vector<Span> after(const std::vector<Span>& spans, Second begin) {
  std::vector<Span> kept;
  for (const auto& span : spans) {
    if (span.until > begin) kept.push_back({std::max(span.from, begin), span.until});
  }
  return kept;
}

Pool pool_from(const std::string& key, const std::string& text) {
  return read<Pool>(key, text);
}
Claim claim_from(const std::string& key, const std::string& text) {
  return read<Claim>(key, text);
}
Loan loan_from(const std::string& key, const std::string& text) {
  return read<Loan>(key, text);
}

std::string pool_key(std::string_view name) {
  return "reserve/p/" + std::string(name);
}
std::string profile_prefix(std::string_view pool) {
  return "reserve/t/" + std::string(pool) + "/";
}
std::string index_key(std::string_view id) {
  return "reserve/i/" + store::key_part(id);
}
std::string claims_prefix(std::string_view pool) {
  return "reserve/c/" + std::string(pool) + "/";
}
std::string loans_prefix(std::string_view lender) {
  return "reserve/l/" + std::string(lender) + "/";
}
std::string claim_key(const Claim& claim) {
  return claims_prefix(claim.pool) + until_digits(claim.until()) + "/" + store::key_part(claim.id);
}
std::string loan_key(const Loan& loan) {
  return loans_prefix(loan.lender) + until_digits(loan.until()) + "/" + store::key_part(loan.id);
}
std::string applied_key(std::string_view id) {
  return "reserve/v/" + store::key_part(id);
}
std::string ending_after(const std::string& prefix, Second time) {
  return prefix + until_digits(time + 1);
}
std::string above(const std::string& prefix) {
  return prefix + '\x7f';  // keys are printable ASCII
}

void check_pool_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (name.empty() || name.size() > 64 || !std::all_of(name.begin(), name.end(), plain) ||
      name.front() == '-' || name.front() == '.') {
    throw Error(Status::kUsage, "read name of pool", "\"" + std::string(name) + "\"",
                "expected 1 to 64 characters of a-z A-Z 0-9 _ - ., and a letter or digit first");
  }
}

void check_id(std::string_view id) {
  const bool printable = std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (id.empty() || id.size() > 100 || !printable) {
    throw Error(Status::kUsage, "read id", "\"" + std::string(id) + "\"",
                "expected 1 to 100 printable characters without blanks");
  }
}

}  // namespace rackline::reserve
