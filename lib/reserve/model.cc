// SPDX-License-Identifier: Apache-2.0
#include "reserve/model.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "store/document.h"

namespace rackline::reserve {
namespace {

using store::Json;

[[noreturn]] void damaged(const std::string& key, const std::string& why) {
  throw Error(Status::kUnreachable, "read ledger", key, why, "see reserve check");
}

// A document that lacks a field, or has it with another type, was not written by us.
template <class T>
T read(const std::string& key, const std::string& text, T (*take)(const Json&)) {
  const Json document = Json::parse(text, nullptr, false);
  if (!document.is_object()) damaged(key, "it is no JSON object");
  try {
    return take(document);
  } catch (const Json::exception&) {
    damaged(key, "a field is missing or has another type than it should");
  }
}

Json spans_json(const std::vector<Span>& spans) {
  Json list = Json::array();
  for (const auto& span : spans) list.push_back(Json::array({span.from, span.until}));
  return list;
}
std::vector<Span> spans_from(const Json& list) {
  std::vector<Span> spans;
  for (const auto& pair : list) spans.push_back({pair.at(0).get<Second>(), pair.at(1).get<Second>()});
  return spans;
}

Json amounts_json(const Amounts& amounts) {
  Json object = Json::object();
  for (const auto& [name, amount] : amounts) object[name] = amount;
  return object;
}
Amounts amounts_from(const Json& object) {
  Amounts amounts;
  for (const auto& [name, amount] : object.items()) amounts[name] = amount.get<std::int64_t>();
  return amounts;
}

void put_text(Json& document, const char* name, const std::string& value) {
  if (!value.empty()) document[name] = value;
}
void put_list(Json& document, const char* name, const std::vector<std::string>& value) {
  if (!value.empty()) document[name] = value;
}
std::string text_of(const Json& document, const char* name) {
  return document.value(name, std::string{});
}
std::vector<std::string> list_of(const Json& document, const char* name) {
  return document.value(name, std::vector<std::string>{});
}
void put_number(Json& document, const char* name, const std::optional<std::int64_t>& value) {
  if (value) document[name] = *value;
}
std::optional<std::int64_t> number_of(const Json& document, const char* name) {
  if (!document.contains(name)) return std::nullopt;
  return document.at(name).get<std::int64_t>();
}

std::string until_digits(Second until) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%010llx",
                static_cast<unsigned long long>(std::max<Second>(until, 0)));
  return digits;
}

Pool take_pool(const Json& document) {
  Pool pool;
  pool.name = document.at("name").get<std::string>();
  pool.parent = text_of(document, "parent");
  pool.hosts = list_of(document, "hosts");
  pool.children = list_of(document, "children");
  pool.tracks_use = document.value("tracks_use", false);
  pool.since = document.at("since").get<Second>();
  pool.headroom.largest_host = document.value("headroom_largest_host", false);
  if (document.contains("headroom")) pool.headroom.amounts = amounts_from(document.at("headroom"));
  for (const auto& [name, about] : document.at("resources").items()) {
    Resource resource;
    const auto unit = parse_unit(about.at("unit").get<std::string>());
    if (!unit) return {};  // whoever reads it refuses a pool without a name
    resource.unit = *unit;
    resource.capacity = about.at("capacity").get<std::int64_t>();
    resource.ratio = about.at("ratio").get<std::int64_t>();
    resource.given = about.at("given").get<std::int64_t>();
    resource.limit = number_of(about, "limit");
    resource.borrow_limit = number_of(about, "borrow_limit");
    resource.shares = number_of(about, "shares");
    resource.never_lent = about.value("never_lent", std::int64_t{0});
    resource.expandable = about.value("expandable", false);
    pool.resources[name] = resource;
  }
  return pool;
}

Claim take_claim(const Json& document) {
  Claim claim;
  claim.id = document.at("id").get<std::string>();
  claim.pool = document.at("pool").get<std::string>();
  claim.owner = document.at("owner").get<std::string>();
  claim.priority = document.at("priority").get<std::int64_t>();
  claim.amounts = amounts_from(document.at("amounts"));
  claim.spans = spans_from(document.at("spans"));
  claim.made = document.at("made").get<Second>();
  claim.from = document.at("from").get<Second>();
  claim.every = text_of(document, "every");
  claim.tags = list_of(document, "tags");
  claim.loans = list_of(document, "loans");
  claim.vm = text_of(document, "vm");
  claim.host = text_of(document, "host");
  if (document.contains("limits")) claim.limits = amounts_from(document.at("limits"));
  claim.borrow = document.value("borrow", false);
  claim.lendable = document.value("lendable", false);
  claim.ended = text_of(document, "ended");
  return claim;
}

Loan take_loan(const Json& document) {
  Loan loan;
  loan.id = document.at("id").get<std::string>();
  loan.lender = document.at("lender").get<std::string>();
  loan.borrower = document.at("borrower").get<std::string>();
  loan.owner = text_of(document, "owner");
  loan.priority = document.at("priority").get<std::int64_t>();
  loan.amounts = amounts_from(document.at("amounts"));
  loan.spans = spans_from(document.at("spans"));
  loan.made = document.at("made").get<Second>();
  loan.from = document.at("from").get<Second>();
  loan.claim = text_of(document, "claim");
  loan.ended = text_of(document, "ended");
  return loan;
}

}  // namespace

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

std::string to_text(const Pool& pool) {
  Json document = Json::object();
  document["name"] = pool.name;
  put_text(document, "parent", pool.parent);
  put_list(document, "hosts", pool.hosts);
  put_list(document, "children", pool.children);
  if (pool.tracks_use) document["tracks_use"] = true;
  document["since"] = pool.since;
  if (pool.headroom.largest_host) document["headroom_largest_host"] = true;
  if (!pool.headroom.amounts.empty()) document["headroom"] = amounts_json(pool.headroom.amounts);
  Json& resources = document["resources"] = Json::object();
  for (const auto& [name, resource] : pool.resources) {
    Json& about = resources[name] = Json::object();
    about["unit"] = unit_name(resource.unit);
    about["capacity"] = resource.capacity;
    about["ratio"] = resource.ratio;
    about["given"] = resource.given;
    put_number(about, "limit", resource.limit);
    put_number(about, "borrow_limit", resource.borrow_limit);
    put_number(about, "shares", resource.shares);
    if (resource.never_lent != 0) about["never_lent"] = resource.never_lent;
    if (resource.expandable) about["expandable"] = true;
  }
  return store::dump(document);
}

std::string to_text(const Claim& claim) {
  Json document = Json::object();
  document["id"] = claim.id;
  document["pool"] = claim.pool;
  document["owner"] = claim.owner;
  document["priority"] = claim.priority;
  document["amounts"] = amounts_json(claim.amounts);
  document["spans"] = spans_json(claim.spans);
  document["made"] = claim.made;
  document["from"] = claim.from;
  put_text(document, "every", claim.every);
  put_list(document, "tags", claim.tags);
  put_list(document, "loans", claim.loans);
  put_text(document, "vm", claim.vm);
  put_text(document, "host", claim.host);
  if (!claim.limits.empty()) document["limits"] = amounts_json(claim.limits);
  if (claim.borrow) document["borrow"] = true;
  if (claim.lendable) document["lendable"] = true;
  put_text(document, "ended", claim.ended);
  return store::dump(document);
}

std::string to_text(const Loan& loan) {
  Json document = Json::object();
  document["id"] = loan.id;
  document["lender"] = loan.lender;
  document["borrower"] = loan.borrower;
  put_text(document, "owner", loan.owner);
  document["priority"] = loan.priority;
  document["amounts"] = amounts_json(loan.amounts);
  document["spans"] = spans_json(loan.spans);
  document["made"] = loan.made;
  document["from"] = loan.from;
  put_text(document, "claim", loan.claim);
  put_text(document, "ended", loan.ended);
  return store::dump(document);
}

Pool pool_from(const std::string& key, const std::string& text) {
  Pool pool = read(key, text, take_pool);
  if (pool.name.empty()) damaged(key, "a resource is counted in an unknown unit");
  return pool;
}
Claim claim_from(const std::string& key, const std::string& text) {
  return read(key, text, take_claim);
}
Loan loan_from(const std::string& key, const std::string& text) {
  return read(key, text, take_loan);
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
