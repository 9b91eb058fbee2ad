// SPDX-License-Identifier: Apache-2.0
#include "decide/guard.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "base/error.h"

namespace rackline::decide {

std::string percent_text(double percent) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g%%", percent);
  return text;
}

int ChangeGuard::most(std::int64_t fleet) const {
  if (force) return std::numeric_limits<int>::max();
  return std::max(1, static_cast<int>(static_cast<double>(fleet) * max_percent / 100));
}

void ChangeGuard::check(std::int64_t touched, std::int64_t fleet, const std::string& more) const {
  if (touched <= most(fleet)) return;  // @rule 11-part-of-the-fleet: true
  throw Error(
      Status::kRefused, "plan",
      std::to_string(touched) + " of " + std::to_string(fleet) + " " + nouns + " would move",
      "that is more than " + percent_text(max_percent) + " of the fleet" + (more.empty() ? "" : "; " + more),
      "--force if it is meant; --max-moves N for a part of it");
}

}  // namespace rackline::decide
