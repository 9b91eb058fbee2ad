// SPDX-License-Identifier: Apache-2.0
// What balance() does in a stream of rounds about hosts that are busy now.
#include <algorithm>
#include <chrono>
#include <utility>

#include "capacity/explain.h"
#include "capacity/outline.h"
#include "capacity/planner.h"

namespace rackline::capacity {
namespace {

// A host that is expected to be above its threshold for less of the time than this had a spike.
constexpr double kLeastAbove = 0.001;
// As long as the stream is shorter, a moment above the threshold is not yet a load, and nobody moves for what
// is only expected.
constexpr std::chrono::minutes kFamiliar{30};
// After so many moves of a day the next one costs twice as much: for each host, and at least some.
constexpr double kAllowance = 0.09;
constexpr double kLeastAllowance = 8;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

}  // namespace

// Memory given away does not come and go, and who asks for evenness wants all of it: the outlook is about the
// CPU alone.
bool Planner::steadily(const plan::State& state, const Trigger& why) const {
  return usage_.rounds() > 1 && !why.imbalanced &&
         std::none_of(why.overloaded.begin(), why.overloaded.end(), [&](int bin) {
           return state.load(bin, kMemory) > state.model().supply(bin, kMemory).safety;
         });
}

Planner::Steady Planner::steady(const Cluster& cluster, const plan::State& state,
                                const std::vector<int>& overloaded) const {
  Steady steady;
  steady.outlook.resource = kCpu;
  for (const auto& vm : cluster.vms) {
    const bool runs = vm.sample != nullptr && active(*vm.sample);
    steady.outlook.items.push_back(runs ? usage_.of(*vm.sample, speeds_.of(vm.sample->host)) : Expected{});
  }
  for (const auto& host : cluster.hosts) steady.outlook.bins.push_back(usage_.of_host(host.name));
  steady.texts.resize(cluster.hosts.size());

  const decide::ExpectedLoad loads(state, steady.outlook);
  const Explain explain(cluster, rules_, policy_);
  // Who says how many rounds it has to hold wants to wait for that, and has his answer then.
  const bool familiar = usage_.span() >= kFamiliar;
  for (int bin = 0; bin < state.model().bins(); ++bin) {
    const bool over = std::find(overloaded.begin(), overloaded.end(), bin) != overloaded.end();
    const double above = loads.above(bin);
    if (!over && (policy_.hold || !familiar || state.model().state(bin) != plan::BinState::kOpen)) continue;
    if (!over && above < kLeastAbove) continue;
    const std::string expected = "expected to be above it " + percent_text(100 * above) + " of the time";
    std::string& text = steady.texts[index(bin)];
    if (!over) {
      text = cluster.host(bin) + " cpu " + percent_text(100 * state.share(bin, kCpu)) + ", limit " +
             percent_text(policy_.threshold_percent) + ", " + expected;
    } else if (!policy_.hold && !familiar && !usage_.repeated(cluster.host(bin))) {
      text = explain.overload(state, bin) + ", seen above it too briefly so far";
      continue;
    } else {
      text = explain.overload(state, bin) + ", " + expected;
    }
    if (above >= kLeastAbove) steady.hot.push_back(bin);
  }
  return steady;
}

std::string Planner::Steady::outcome() const {
  std::string text;
  for (const auto& part : texts) {
    if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
  }
  return text + (hot.empty() ? "" : ": no move is allowed and spares as much overload as it costs");
}

std::vector<plan::Step> Planner::mend_and_relieve(plan::State& state, const Explain& explain,
                                                  const Steady& steady, std::int64_t running,
                                                  plan::SearchLimits limits) const {
  const auto wanted = [&explain](const plan::Violation& v) { return explain.may_be_mended(v); };
  std::vector<plan::Step> steps = repair(state, limits, wanted).steps;
  decide::MovePrice price;
  price.horizon = std::chrono::duration<double>(policy_.horizon).count();
  price.price = std::chrono::duration<double>(policy_.move_price).count();
  price.allowance = std::max(kLeastAllowance, kAllowance * state.model().bins());
  price.spent = history_.recent(closed_.time);
  // Relief is wanted, not needed: as much of it as may be without --force.
  limits.max_moves = std::min(limits.max_moves, std::max(guard().most(running), moved(state)));
  const std::vector<plan::Step> more = decide::relieve(state, steady.outlook, steady.hot, price, limits);
  steps.insert(steps.end(), more.begin(), more.end());
  return steps;
}

}  // namespace rackline::capacity
