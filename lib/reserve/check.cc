// SPDX-License-Identifier: Apache-2.0
#include "reserve/check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/id.h"
#include "reserve/ledger.h"
#include "reserve/model.h"
#include "reserve/profile.h"
#include "store/document.h"

namespace rackline::reserve {
namespace {

using Change = Profile::Change;
using Changes = std::vector<Change>;
using Fault = std::function<void(const record::LedgerFault&)>;

// The changes in order, those of one instant together.
void settle(Changes& changes) {
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return a.at < b.at; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < changes.size();) {
    Change sum{changes[i].at, 0};
    for (; i < changes.size() && changes[i].at == sum.at; ++i) sum.delta += changes[i].delta;
    if (sum.delta != 0) changes[kept++] = sum;
  }
  changes.resize(kept);
}

// What ended by the time that the pool was made was held in an earlier one of its name.
void forget(Changes& changes, Second made) {
  std::int64_t sum = 0;
  const auto later =
      std::find_if(changes.begin(), changes.end(), [made](const Change& c) { return c.at > made; });
  for (auto at = changes.begin(); at != later; ++at) sum += at->delta;
  changes.erase(changes.begin(), later);
  if (sum != 0) changes.insert(changes.begin(), {made, sum});
}

void add(Changes& to, const std::vector<Span>& spans, std::int64_t amount) {
  for (const auto& span : spans) {
    to.push_back({span.from, amount});
    if (span.until < kForever) to.push_back({span.until, -amount});
  }
}

class Check {
 public:
  explicit Check(const Fault& fault) : fault_(fault) {}

  void take(const std::string& key, const std::string& text) {
    try {
      if (key.starts_with("reserve/c/")) {
        take_claim(key, claim_from(key, text));
      } else if (key.starts_with("reserve/i/")) {
        take_index(key, text);
      } else if (key.starts_with("reserve/l/")) {
        take_loan(key, loan_from(key, text));
      } else if (key.starts_with("reserve/p/")) {
        const Pool pool = pool_from(key, text);
        if (pool_key(pool.name) != key) report("unreadable", key, "it is the document of pool " + pool.name);
        pools_[pool.name] = pool;
      } else if (key.starts_with("reserve/t/")) {
        if (!settled_) add_up();
        take_tree(key, text);
      }
    } catch (const Error& error) {
      report("unreadable", key, error.why());
    }
  }

  record::LedgerCheck finish() {
    if (!settled_) add_up();
    check_index();
    check_tree_of_pools();
    check_sums();
    check_rules();
    answer_.sound = answer_.faults == 0;
    answer_.pools = static_cast<std::int64_t>(pools_.size());
    return answer_;
  }

 private:
  // What a pool's series ought to be, and what has been found of it in the tree.
  struct Series {
    Changes changes;
    std::size_t found = 0;      // of the changes after `since`
    std::int64_t at_since = 0;  // the sum of what was found up to then
  };

  record::LedgerFault blank(const std::string& fault, const std::string& subject, const std::string& reason) {
    ++answer_.faults;
    record::LedgerFault record;
    record.fault = fault;
    record.subject = subject;
    record.reason = reason;
    return record;
  }
  void report(const std::string& fault, const std::string& subject, const std::string& reason) {
    fault_(blank(fault, subject, reason));
  }
  void report(const std::string& fault, const std::string& pool, const std::string& series,
              std::optional<Second> at, std::int64_t expected, std::int64_t found,
              const std::string& reason) {
    auto record = blank(fault, pool, reason);
    const std::string resource = series.substr(0, series.find(':'));
    record.resource = resource;
    if (at) record.at = record::Time{std::chrono::seconds{*at}};
    const auto known = pools_.find(pool);
    const auto about = known == pools_.end() ? nullptr : &known->second.resources;
    const auto unit = about != nullptr && about->contains(resource)
                          ? about->at(resource).unit
                          : unit_of(resource).value_or(Unit::kPieces);
    record.expected = to_number(expected, unit);
    record.found = to_number(found, unit);
    fault_(record);
  }

  void take_claim(const std::string& key, const Claim& claim) {
    ++answer_.reservations;
    if (claim_key(claim) != key)
      report("index", claim.id, "it stands at " + key + " and not at its own place");
    check_spans(claim.id, claim.spans);
    documents_.emplace_back(fnv1a(claim.id), fnv1a(key));
    for (const auto& [resource, amount] : claim.amounts) {
      if (amount <= 0) report("unreadable", claim.id, "its amount of " + resource + " is not positive");
      add(claims_[claim.pool][resource], claim.spans, amount);
    }
  }

  void take_loan(const std::string& key, const Loan& loan) {
    ++answer_.loans;
    if (loan_key(loan) != key) report("index", loan.id, "it stands at " + key + " and not at its own place");
    check_spans(loan.id, loan.spans);
    documents_.emplace_back(fnv1a(loan.id), fnv1a(key));
    loans_.push_back(loan);
  }

  void check_spans(const std::string& id, const std::vector<Span>& spans) {
    Second last = -1;
    for (const auto& span : spans) {
      if (span.from < last || span.from >= span.until || span.until > kForever) {
        report("unreadable", id, "its times are not in order");
        return;
      }
      last = span.until;
    }
  }

  void take_index(const std::string& key, const std::string& text) {
    const auto index = store::from_text<Index>(text);
    if (!index) {
      report("unreadable", key, "it names no key");
      return;
    }
    index_.emplace_back(fnv1a(store::from_key_part(key.substr(std::string_view("reserve/i/").size()))),
                        fnv1a(index->key));
  }

  void check_index() {
    std::sort(documents_.begin(), documents_.end());
    std::sort(index_.begin(), index_.end());
    if (documents_ == index_) return;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> lost;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> dangling;
    std::set_difference(documents_.begin(), documents_.end(), index_.begin(), index_.end(),
                        std::back_inserter(lost));
    std::set_difference(index_.begin(), index_.end(), documents_.begin(), documents_.end(),
                        std::back_inserter(dangling));
    if (!lost.empty()) {
      report("index", "reserve/i/",
             std::to_string(lost.size()) + " reservations or loans are not in the index");
    }
    if (!dangling.empty()) {
      report("index", "reserve/i/",
             std::to_string(dangling.size()) + " entries of the index lead to no reservation or loan");
    }
  }

  std::vector<std::string> chain(const std::string& name) const {
    std::vector<std::string> names;
    for (std::string at = name; !at.empty() && std::find(names.begin(), names.end(), at) == names.end();) {
      names.push_back(at);
      const auto found = pools_.find(at);
      if (found == pools_.end()) break;
      at = found->second.parent;
    }
    return names;
  }

  // All claims and loans are known, and all pools.
  void add_up() {
    settled_ = true;
    for (auto& [pool, resources] : claims_) {
      const bool known = pools_.contains(pool);
      for (auto& [resource, changes] : resources) {
        if (!known) continue;  // of a pool that is no more
        settle(changes);
        forget(changes, pools_.at(pool).made);
        if (changes.empty()) continue;
        for (const auto& each : chain(pool)) {
          if (pools_.contains(each) && pools_.at(each).tracks_use) {
            auto& use = series_[each][use_series(resource)].changes;
            use.insert(use.end(), changes.begin(), changes.end());
          }
        }
        auto& own = series_[pool][resource].changes;
        own.insert(own.end(), changes.begin(), changes.end());
      }
    }
    for (const auto& loan : loans_) {
      const auto from = chain(loan.lender);
      const auto to = chain(loan.borrower);
      const auto within = [](const std::vector<std::string>& names, const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
      };
      for (const auto& entry : loan.amounts) {
        const auto& resource = entry.first;
        const auto amount = entry.second;
        const auto both = [&](const std::vector<std::string>& mine, const std::vector<std::string>& other,
                              std::int64_t sign, const std::string& crossing) {
          // A pool of that name that was made since has nothing of it.
          const auto end = pools_.find(mine.front());
          if (end != pools_.end() && loan.until() <= end->second.made) return;
          for (const auto& name : mine) {
            if (!pools_.contains(name)) continue;
            auto& all = series_[name];
            if (name == mine.front()) add(all[resource].changes, loan.spans, sign * amount);
            if (pools_.at(name).tracks_use) add(all[use_series(resource)].changes, loan.spans, sign * amount);
            if (name == mine.front() || !within(other, name)) add(all[crossing].changes, loan.spans, amount);
          }
        };
        both(from, to, 1, out_series(resource));
        both(to, from, -1, in_series(resource));
      }
    }
    for (auto& [pool, all] : series_) {
      for (auto& [name, series] : all) {
        settle(series.changes);
        answer_.instants += static_cast<std::int64_t>(series.changes.size());
      }
    }
  }

  static Changes::const_iterator first_from(const Changes& changes, Second at) {
    return std::lower_bound(changes.begin(), changes.end(), at,
                            [](const Change& c, Second time) { return c.at < time; });
  }

  void take_tree(const std::string& key, const std::string& text) {
    const auto begin = std::string_view("reserve/t/").size();
    const auto slash = key.find('/', begin);
    const std::string pool = key.substr(begin, slash == std::string::npos ? slash : slash - begin);
    const auto extent =
        slash == std::string::npos ? std::nullopt : Profile::extent(std::string_view(key).substr(slash + 1));
    const auto known = pools_.find(pool);
    if (!extent || known == pools_.end()) {
      report("profile", key, "it belongs to no pool");
      return;
    }
    const auto content = Profile::parse(key, text, extent->from);
    const Second since = known->second.since;
    static const Changes kNothing;
    for (const auto& [name, changes] : content.changes) {
      auto& series = series_[pool][name];
      auto expected = first_from(series.changes, std::max(extent->from, since + 1));
      for (const auto& change : changes) {
        if (change.at < extent->from || change.at >= extent->until) {
          report("profile", key, "it has a change that does not lie within it");
          return;
        }
        if (change.at <= since) {
          series.at_since += change.delta;
          continue;
        }
        if (expected == series.changes.end() || expected->at != change.at ||
            expected->delta != change.delta) {
          const bool same = expected != series.changes.end() && expected->at == change.at;
          report("profile", pool, name, change.at, same ? expected->delta : 0, change.delta,
                 "series " + name + " changes otherwise than the reservations do");
          return;
        }
        ++series.found;
        ++expected;
      }
    }
    for (const auto& [name, children] : content.children) {
      const auto found = series_[pool].find(name);
      const Changes& changes = found == series_[pool].end() ? kNothing : found->second.changes;
      const Second width =
          extent->until - extent->from == kForever ? Second{1} << 24 : (extent->until - extent->from) >> 6;
      for (const auto& child : children) {
        const Span part{extent->from + child.index * width, extent->from + (child.index + 1) * width};
        if (part.from <= since) continue;
        const auto expected = Profile::summary(
            child.index, part, {first_from(changes, part.from), first_from(changes, part.until)});
        if (!(expected == child)) {
          report("profile", pool, name, part.from, expected.peak, child.peak,
                 "the sums of a part of series " + name + " are not those of the reservations");
          return;
        }
      }
    }
  }

  void check_sums() {
    for (auto& [pool, all] : series_) {
      const auto known = pools_.find(pool);
      if (known == pools_.end()) continue;
      const Second since = known->second.since;
      for (auto& [name, series] : all) {
        const auto later = first_from(series.changes, since + 1);
        std::int64_t sum = 0;
        for (auto at = series.changes.cbegin(); at != later; ++at) sum += at->delta;
        if (sum != series.at_since) {
          report("profile", pool, name, since, sum, series.at_since,
                 "series " + name + " is not the sum of the reservations");
        } else if (const auto rest = static_cast<std::size_t>(series.changes.cend() - later);
                   rest != series.found) {
          report("profile", pool, name, std::nullopt, static_cast<std::int64_t>(rest) * 1000,
                 static_cast<std::int64_t>(series.found) * 1000,
                 "series " + name + " lacks changes that the reservations have");
        }
        check_bound(known->second, name, series.changes, later, sum);
      }
    }
  }

  void check_bound(const Pool& pool, const std::string& name, const Changes& changes,
                   Changes::const_iterator later, std::int64_t sum) {
    const auto colon = name.find(':');
    const std::string resource = name.substr(0, colon);
    const auto about = pool.resources.find(resource);
    if (about == pool.resources.end()) {
      if (sum != 0 || later != changes.cend()) {
        report("tree", pool.name, "something of " + resource + " is granted, which it has not");
      }
      return;
    }
    const Resource& has = about->second;
    const std::string what = colon == std::string::npos ? "" : name.substr(colon);
    std::int64_t most = has.own();
    std::string fault = "over_granted";
    std::string reason = "more is granted and lent than there is";
    if (what == ":use") {
      // Of a part, what is used below it may be borrowed from outside; of a root nothing is.
      if (!pool.parent.empty()) return;
      most = has.size();
      reason = "more is granted in the pool and its parts than there is";
    } else if (what == ":out") {
      most = has.size() - has.never_lent;
      fault = "loan";
      reason = "more is lent than may be";
    } else if (what == ":in") {
      most = std::min(has.borrow_limit.value_or(kMost), has.limit ? *has.limit - has.size() : kMost);
      fault = "loan";
      reason = "more is borrowed than may be";
    }
    Second at = pool.since;
    for (;;) {
      if (sum > most) {
        report(fault, pool.name, resource, at, most, sum, reason);
        return;
      }
      if (later == changes.cend()) return;
      sum += later->delta;
      at = later->at;
      ++later;
    }
  }

  void check_tree_of_pools() {
    for (const auto& [name, pool] : pools_) {
      const auto up = chain(name);
      const auto top = pools_.find(up.back());
      if (top == pools_.end()) {
        report("tree", name, "its parent " + up.back() + " is not there");
        continue;
      }
      if (!top->second.parent.empty()) report("tree", name, "it is its own ancestor");
      std::set<std::string> children;
      Amounts given;
      for (const auto& [other, child] : pools_) {
        if (child.parent != name) continue;
        children.insert(other);
        for (const auto& [resource, about] : child.resources) given[resource] += about.size();
      }
      if (children != std::set<std::string>(pool.children.begin(), pool.children.end())) {
        report("tree", name, "its list of children is not that of the pools that call it their parent");
      }
      for (const auto& [resource, about] : pool.resources) {
        const auto sum = given.contains(resource) ? given.at(resource) : 0;
        if (sum != about.given) {
          report("tree", name, resource, std::nullopt, sum, about.given,
                 "what its children are guaranteed is another sum");
        }
      }
    }
  }

  void check_rules() {
    for (const auto& loan : loans_) {
      const auto lender = pools_.find(loan.lender);
      const auto borrower = pools_.find(loan.borrower);
      if (lender == pools_.end() || borrower == pools_.end()) continue;
      if (loan.until() <= std::max({loan.made, lender->second.made, borrower->second.made})) continue;
      if (chain(loan.lender).back() != chain(loan.borrower).back()) {
        report("loan", loan.id, "lender and borrower are not of one tree");
      }
    }
  }

  const Fault& fault_;
  record::LedgerCheck answer_;
  bool settled_ = false;
  std::map<std::string, Pool> pools_;
  std::map<std::string, std::map<std::string, Changes>> claims_;
  std::map<std::string, std::map<std::string, Series>> series_;
  std::vector<Loan> loans_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> documents_, index_;
};

}  // namespace

record::LedgerCheck check(store::Store& store, const std::function<void(const record::LedgerFault&)>& fault) {
  Check check(fault);
  store.scan("reserve/", above("reserve/"), [&](const store::Entry& entry) {
    check.take(entry.key, entry.value);
    return true;
  });
  return check.finish();
}

}  // namespace rackline::reserve
