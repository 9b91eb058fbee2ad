// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "base/interrupt.h"
#include "record/kinds_stream.h"
#include "record/reader.h"

namespace rackline::act {

// Hands out the plans of a stream of decisions, each when it is whole: with its round_end, which a decider
// writes behind the decisions of each round, or with the end of the stream. Half a plan of a dead producer is
// not a plan. So of a stream that goes on, each plan is carried out as it comes.
//
// `pass` gets every other record. Returns at the end of the stream or when a stop is asked for (interrupt.h):
// the last plan, which is then the caller's to carry out once the stream is known to be complete.
template <class Decision>
std::vector<Decision> whole_plans(record::Reader& reader,
                                  const std::function<void(std::vector<Decision>)>& carry_out,
                                  const std::function<void(record::Reader&)>& pass) {
  std::vector<Decision> plan;
  Decision decision;
  while (!interrupt::requested() && reader.next()) {
    if (reader.is<Decision>()) {
      if (reader.read(decision)) plan.push_back(decision);
      continue;
    }
    if (reader.is<record::RoundEnd>() && !plan.empty()) carry_out(std::exchange(plan, {}));
    pass(reader);
  }
  return plan;
}

}  // namespace rackline::act
