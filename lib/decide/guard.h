// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace rackline::decide {

// "12.5%", three significant digits.
std::string percent_text(double percent);

// How much of a fleet a plan may touch.
struct ChangeGuard {
  double max_percent = 30;
  bool force = false;  // all of it
  const char* nouns = "items";

  // At least one.
  int most(std::int64_t fleet) const;
  // Throws Error(kRefused) for more. `more`: what is to be said beside the refusal.
  void check(std::int64_t touched, std::int64_t fleet, const std::string& more = {}) const;
};

}  // namespace rackline::decide
