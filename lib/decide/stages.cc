// SPDX-License-Identifier: Apache-2.0
#include "decide/stages.h"

namespace rackline::decide {
namespace {

std::vector<int> placement(const plan::State& state) {
  std::vector<int> where;
  where.reserve(static_cast<std::size_t>(state.model().items()));
  for (int item = 0; item < state.model().items(); ++item) where.push_back(state.where(item));
  return where;
}

}  // namespace

int moved(const plan::State& state) {
  int count = 0;
  for (int item = 0; item < state.model().items(); ++item) {
    count += state.where(item) != state.model().start(item) ? 1 : 0;
  }
  return count;
}

plan::Schedule schedule_of(const plan::State& result, const std::vector<plan::Step>& steps, plan::Caps caps,
                           bool keep_spare) {
  std::vector<int> first;
  first.reserve(steps.size());
  for (const plan::Step& step : steps) first.push_back(step.item);
  plan::Schedule net = order(result.model(), placement(result), caps, keep_spare, first);
  if (net.blocked.empty()) return net;
  plan::Schedule walked = stage(result.model(), steps, caps, keep_spare);
  return walked.blocked.size() < net.blocked.size() ? walked : net;
}

plan::State carried_out(const plan::Model& model, const plan::Schedule& schedule) {
  plan::State done(model, false);
  for (const plan::Move& move : schedule.moves) done.move(move.item, move.to);
  return done;
}

}  // namespace rackline::decide
