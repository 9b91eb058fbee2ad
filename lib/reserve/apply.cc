// SPDX-License-Identifier: Apache-2.0
#include "reserve/apply.h"

#include <algorithm>

#include "base/error.h"
#include "reserve/enforce.h"
#include "reserve/listing.h"
#include "virt/pool.h"

namespace rackline::reserve {
namespace {

constexpr const char* kAppliedPrefix = "reserve/v/";

record::Text text_of(const std::optional<std::int64_t>& value) {
  return value ? record::Text{std::to_string(*value)} : record::Text{};
}

class Application {
 public:
  Application(store::Store& store, const std::vector<record::Host>& inventory, const ApplyOptions& options,
              const std::function<void(const record::ReservationApplied&)>& result)
      : store_(store), options_(options), result_(result), pool_(targets(inventory), {}) {
    for (const auto& host : inventory) names_.push_back(host.host);
  }

  // The hosts that answered; the others are told.
  std::map<std::string, virt::HostTuning> look(const std::function<void(const std::string&)>& warn) {
    std::map<std::string, virt::HostTuning> seen;
    std::vector<virt::Question<virt::HostTuning>> questions;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      questions.push_back(
          {i, [](virt::Connection& connection) { return virt::read_tuning(connection); }, options_.timeout});
    }
    pool_.ask<virt::HostTuning>(std::move(questions), [&](virt::Answer<virt::HostTuning> answer) {
      if (answer.value) {
        seen[names_[answer.host]] = std::move(*answer.value);
      } else if (answer.error) {
        warn(answer.error->what());
      }
    });
    return seen;
  }

  std::vector<Applied> applied() {
    std::vector<Applied> all;
    for (const auto& entry : store_.list(kAppliedPrefix)) {
      auto each = applied_from(entry.key, entry.value);
      if (options_.vm.empty() || options_.vm == each.vm) all.push_back(std::move(each));
    }
    for (const auto& each : all) known_[each.vm] = each;
    return all;
  }

  Status carry_out(const std::vector<Step>& steps) {
    for (const auto& step : steps) one(step);
    return status_;
  }

 private:
  static std::vector<virt::Target> targets(const std::vector<record::Host>& inventory) {
    std::vector<virt::Target> targets;
    for (const auto& host : inventory) targets.push_back({host.host, host.uri});
    return targets;
  }

  void one(const Step& step) {
    record::ReservationApplied record;
    record.id = step.id;
    record.vm = step.vm;
    if (!step.host.empty()) record.host = step.host;
    record.setting = step.setting;
    record.wanted = text_of(step.wanted);
    record.found = text_of(step.found);
    if (!step.reason.empty()) record.reason = step.reason;
    switch (step.kind) {
      case Step::Kind::kAlready:
        record.outcome = "already";
        break;
      case Step::Kind::kUnsupported:
        record.outcome = "unsupported";
        break;
      case Step::Kind::kAbsent:
        record.outcome = "failed";
        status_ = Status::kNo;
        break;
      case Step::Kind::kSet:
        record.outcome = step.drifted ? "drift" : "applied";
        if (!options_.planned) set(step, record);
        break;
      case Step::Kind::kUndo:
        record.outcome = "undone";
        if (!options_.planned) undo(step, record);
        break;
    }
    result_(record);
  }

  void set(const Step& step, record::ReservationApplied& record) {
    Applied& kept = known_[step.vm];
    kept.vm = step.vm;
    kept.host = step.host;
    kept.id = step.id;
    // Of several times that it was set only what was there before the first is worth going back to.
    auto& value = kept.settings.try_emplace(step.setting, Applied::Value{*step.found, 0}).first->second;
    value.set = *step.wanted;
    keep(kept);
    change(step, record);
  }

  void undo(const Step& step, record::ReservationApplied& record) {
    Applied& kept = known_[step.vm];
    if (step.setting != "vm" && !change(step, record)) return;
    if (step.setting == "vm") {
      kept.settings.clear();
    } else {
      kept.settings.erase(step.setting);
    }
    keep(kept);
  }

  void keep(const Applied& kept) {
    if (kept.settings.empty()) {
      store_.commit({{}, {}, {applied_key(kept.vm)}});
    } else {
      store_.commit({{}, {{applied_key(kept.vm), to_text(kept)}}, {}});
    }
  }

  // Sets it, and believes only what is read back.
  bool change(const Step& step, record::ReservationApplied& record) {
    const auto host =
        static_cast<std::size_t>(std::find(names_.begin(), names_.end(), step.host) - names_.begin());
    const auto work = [vm = step.vm, setting = step.setting,
                       value = *step.wanted](virt::Connection& connection) {
      return virt::set_tuning(connection, vm, setting, value);
    };
    std::optional<std::string> why;
    std::vector<virt::Question<std::int64_t>> questions{{host, work, options_.timeout}};
    const bool asked = pool_.ask<std::int64_t>(questions, [&](virt::Answer<std::int64_t> answer) {
      if (answer.error) {
        why = answer.error->why();
      } else if (*answer.value != *step.wanted) {
        record.found = std::to_string(*answer.value);
        why = "it was set, and reads as something else";
      }
    });
    if (!asked) why = "a stop was asked for";
    if (!why) return true;
    record.outcome = "failed";
    record.reason = *why;
    status_ = Status::kNo;
    return false;
  }

  store::Store& store_;
  const ApplyOptions& options_;
  const std::function<void(const record::ReservationApplied&)>& result_;
  std::vector<std::string> names_;
  virt::HostPool pool_;
  std::map<std::string, Applied> known_;
  Status status_ = Status::kDone;
};

}  // namespace

Status apply(store::Store& store, const std::vector<record::Host>& inventory, Second now,
             const ApplyOptions& options,
             const std::function<void(const record::ReservationApplied&)>& result,
             const std::function<void(const std::string&)>& warn) {
  const auto turn = store.try_lock("reserve-apply");
  if (!turn) throw Error(Status::kBusy, "apply", "reservations", "another one is at work");
  std::vector<Claim> claims;
  Filter filter;
  filter.vm = options.vm;
  list(store, filter, now,
       {.claim =
            [&](const Claim& claim) {
              if (!claim.vm.empty() && state_of(claim.spans, claim.ended, now) == "active") {
                claims.push_back(claim);
              }
            },
        .loan = [](const Loan&) {}});
  Application application(store, inventory, options, result);
  const auto hosts = application.look(warn);
  const bool complete = hosts.size() == inventory.size();
  auto steps = enforce(hosts, complete, claims, application.applied());
  const Status status = application.carry_out(steps);
  return status == Status::kDone && !complete ? Status::kUnreachable : status;
}

}  // namespace rackline::reserve
