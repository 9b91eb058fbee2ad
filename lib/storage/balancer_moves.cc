// SPDX-License-Identifier: Apache-2.0
// Moves as records, and the commands that place LUNs and empty arrays.
#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/id.h"
#include "base/joined.h"
#include "base/time.h"
#include "decide/stages.h"
#include "storage/balancer.h"

namespace rackline::storage {
namespace {

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

std::vector<ArrayOutlook> outlook_of(const Fleet& fleet, const plan::State& before,
                                     const plan::State& after) {
  std::vector<ArrayOutlook> arrays;
  for (int bin = 0; bin < fleet.model.bins(); ++bin) {
    const auto percent = [&](const plan::State& state, int r) -> record::Number {
      if (fleet.model.supply(bin, r).size <= 0) return std::nullopt;
      return 100 * state.share(bin, r);
    };
    arrays.push_back({fleet.array(bin), percent(before, kSpace), percent(after, kSpace),
                      percent(before, kLoad), percent(after, kLoad),
                      static_cast<int>(before.items_on(bin).size()),
                      static_cast<int>(after.items_on(bin).size())});
  }
  return arrays;
}

// By the model of its array; null where that is not known.
record::Number latency(const Fleet& fleet, const plan::State& state, int bin) {
  const Device::Fit& fit = fleet.arrays[index(bin)].fit;
  if (!fit.known()) return std::nullopt;
  return fit.latency_ms(static_cast<double>(state.load(bin, kLoad)) / 1000);
}

}  // namespace

record::LunMove Balancer::record_of(const Fleet& fleet, const plan::Move& move) const {
  const record::LunSample& lun = *fleet.lun(move.item).sample;
  record::LunMove record;
  record.lun = lun.lun;
  record.iqn = lun.iqn;
  record.lun_number = lun.lun_number;
  record.serial = lun.serial;
  record.from = fleet.array(move.from);
  record.to = fleet.array(move.to);
  record.stage = move.stage;
  record.size_bytes = lun.size_bytes.value_or(0);
  record.allocated_bytes = lun.allocated_bytes;
  record.in_use = lun.in_use == "yes" || lun.in_use == "no" ? lun.in_use : "unknown";
  record.way = record.in_use == "no" ? "copy" : "transit";
  record.expires = closed_.time + std::chrono::duration_cast<std::chrono::seconds>(policy_.expires);
  record.id =
      derived_id({"lun_move", format_time(closed_.time), fleet.lun(move.item).key, record.from, record.to});
  return record;
}

std::string Balancer::cause_of(const record::LunMove& move) const {
  return causes_.of({"lun " + move.lun + " " + move.from, "array " + move.from},
                    {"space", "latency", "iops", "bytes"});
}

void Balancer::write_moves(const Fleet& fleet, const plan::Schedule& schedule, const std::string& verb,
                           const std::vector<std::string>& reasons, Plan& plan) const {
  const Words words(fleet, rules_, policy_);
  const plan::State before(fleet.model);
  plan::State state(fleet.model);
  plan::State after(fleet.model);
  for (const plan::Move& move : schedule.moves) after.move(move.item, move.to);
  for (const plan::Move& move : schedule.moves) {
    record::LunMove record = record_of(fleet, move);
    const bool emptied = fleet.model.state(move.from) == plan::BinState::kLeaving;
    record.reason = move.aside ? "on its way, as there is no room at its target yet: " : "";
    record.reason += reasons[index(move.item)] + "; then " +
                     (emptied ? "" : words.load(after, move.from) + ", ") + words.load(after, move.to);
    record.latency_before_ms = latency(fleet, before, move.from);
    record.latency_after_ms = latency(fleet, after, move.to);
    record.score_before = state.score();
    state.move(move.item, move.to);
    record.score_after = state.score();
    plan.bytes += fleet.bytes(move.item);
    plan.moves.push_back(std::move(record));
  }
  const std::string time = format_time(closed_.time);
  std::vector<std::string_view> facts{"lunbalance", verb, time};
  for (const auto& move : plan.moves) facts.push_back(move.id);
  const std::string cause = derived_id(facts);
  for (auto& move : plan.moves) {
    const std::string known = cause_of(move);
    move.cause = known.empty() ? cause : known;
  }
  plan.score_after = state.score();
  if (!plan.moves.empty()) plan.outlook = outlook_of(fleet, before, state);
  for (const plan::Blocked& blocked : schedule.blocked)
    plan.doubts.push_back(words.blocked(after, blocked.item, blocked.to, blocked.why));
}

namespace {

// Throws Error(kUsage) for an array that is not there, Error(kUnreachable) for one that cannot be emptied.
std::set<int> leaving_bins(const Fleet& fleet, const std::vector<std::string>& arrays) {
  std::set<int> bins;
  for (const auto& name : arrays) {
    const int bin = fleet.find_array(name);
    if (bin == plan::kNowhere)
      throw Error(Status::kUsage, "evacuate", name, "there is no such array in the input");
    const auto& array = fleet.arrays[index(bin)];
    if (!array.frozen.empty())
      throw Error(Status::kUnreachable, "evacuate", name, array.frozen,
                  "what cannot be read cannot be copied");
    bins.insert(bin);
  }
  return bins;
}

// Those that are where they were when all moves of the schedule are done.
std::vector<record::LunUnplaced> left_behind(const Fleet& fleet, const plan::Schedule& schedule,
                                             const std::vector<int>& evacuees, const Words& words) {
  std::vector<record::LunUnplaced> left;
  const plan::State done = decide::carried_out(fleet.model, schedule);
  for (const int item : evacuees) {
    if (done.where(item) != fleet.model.start(item)) continue;
    record::LunUnplaced& unplaced = left.emplace_back();
    unplaced.lun = fleet.lun(item).name;
    unplaced.array = fleet.array(fleet.model.start(item));
    unplaced.reason = words.no_place(done, item);
    if (unplaced.reason.empty())
      unplaced.reason = "there is no way to a place while the others move: plan again then";
  }
  return left;
}

}  // namespace

Plan Balancer::evacuate(const std::vector<std::string>& arrays) const {
  Question question;
  question.leaving = arrays;
  const Fleet fleet = fleet_for(question);
  const std::set<int> leaving = leaving_bins(fleet, arrays);
  plan::State state(fleet.model);
  const Words words(fleet, rules_, policy_);
  Plan plan = begin_plan(state, words);
  std::vector<int> evacuees;
  for (int item = 0; item < fleet.model.items(); ++item) {
    if (leaving.contains(fleet.model.start(item))) evacuees.push_back(item);
  }
  if (evacuees.empty()) {
    plan.none = no_move(state, joined(arrays, ", ") + (arrays.size() > 1 ? " are" : " is") + " empty");
    return plan;
  }
  plan::SearchLimits limits;
  limits.max_moves = policy_.max_moves;
  limits.keep_spare = false;
  limits.seed = policy_.seed;
  std::vector<plan::Step> steps = repair(state, limits, [](const plan::Violation& v) {
                                    return v.kind == plan::Violation::Kind::kLeaving;
                                  }).steps;
  std::vector<int> gone;
  std::int64_t touched = 0;
  for (int item = 0; item < fleet.model.items(); ++item) {
    if (state.where(item) == fleet.model.start(item)) continue;
    gone.push_back(item);
    if (leaving.size() > 1 || !leaving.contains(fleet.model.start(item))) ++touched;
  }
  guard().check(touched, static_cast<std::int64_t>(fleet.luns.size()));
  if (!gone.empty()) {
    const auto more = improve(state, limits, gone);
    steps.insert(steps.end(), more.begin(), more.end());
  }
  const plan::Schedule schedule = decide::schedule_of(state, steps, policy_.caps, false);
  std::vector<std::string> reasons(index(fleet.model.items()));
  for (const plan::Step& step : steps) {
    const std::string& from = fleet.array(fleet.model.start(step.item));
    reasons[index(step.item)] =
        step.why == plan::Step::Why::kRoom
            ? "makes room on " + fleet.array(step.from) + " for " + fleet.lun(step.because).name
            : "evacuate " + from;
  }
  write_moves(fleet, schedule, "evacuate", reasons, plan);
  plan.unplaced = left_behind(fleet, schedule, evacuees, words);
  return plan;
}

Plan Balancer::place() const {
  Question question;
  std::map<std::string_view, std::string_view> present;
  for (const auto& lun : closed_.luns) present.emplace(lun.lun, lun.array);
  std::set<std::string_view> asked;
  for (const auto& request : requests_) {
    if (!present.contains(request.lun) && asked.insert(request.lun).second)
      question.requests.push_back(request);
  }
  const Fleet fleet = fleet_for(question);
  plan::State state(fleet.model);
  const Words words(fleet, rules_, policy_);
  Plan plan = begin_plan(state, words);
  const int first = fleet.model.items() - static_cast<int>(question.requests.size());
  std::vector<int> items(question.requests.size());
  std::iota(items.begin(), items.end(), first);
  std::stable_sort(items.begin(), items.end(), [&](int a, int b) { return fleet.bytes(a) > fleet.bytes(b); });
  std::map<std::string_view, int> item_of;
  for (const int item : items) {
    item_of[fleet.lun(item).name] = item;
    int best = plan::kNowhere;
    double score = 0;
    for (int bin = 0; bin < fleet.model.bins(); ++bin) {
      if (!state.admits(item, bin)) continue;
      const double then = state.score_with_shift(item, bin);
      if (best != plan::kNowhere && then >= score) continue;
      best = bin;
      score = then;
    }
    if (best != plan::kNowhere) state.move(item, best);
  }
  for (const auto& request : requests_) {
    const auto known = item_of.find(request.lun);
    if (known != item_of.end() && state.where(known->second) == plan::kNowhere) {
      record::LunUnplaced& unplaced = plan.unplaced.emplace_back();
      unplaced.lun = request.lun;
      unplaced.reason = words.no_place(state, known->second);
      continue;
    }
    record::LunPlace& place = plan.places.emplace_back();
    place.lun = request.lun;
    place.size_bytes = request.size_bytes;
    place.array = known == item_of.end() ? std::string(present.at(request.lun))
                                         : fleet.array(state.where(known->second));
    place.reason = known == item_of.end() ? "it is there already"
                                          : "then " + words.load(state, state.where(known->second));
    place.id = derived_id({"lun_place", format_time(closed_.time), place.lun, place.array});
  }
  plan.score_after = state.score();
  return plan;
}

}  // namespace rackline::storage
