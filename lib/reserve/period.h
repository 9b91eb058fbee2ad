// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "reserve/model.h"

namespace rackline::reserve {

// When something shall be held. Without a beginning it begins now, without an end it does not end.
struct Period {
  std::optional<Second> from, until, length = {};
  std::string every = {};               // a rule of recurrence.h
  Asked asked = {};                     // what of it does not depend on when it is asked
  std::vector<std::string> notes = {};  // for a person: what local times were taken for
};

// As people say it; empty: it is not said.
struct PeriodWords {
  std::string from = {}, until = {}, every = {};
  std::optional<Milliseconds> length = {};
};
// Throws Error(kUsage) for words that make no sense, and for a length of nothing.
Period read_period(const PeriodWords& words, Second now);

}  // namespace rackline::reserve
