// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "decide/by_name.h"
#include "record/kind.h"

namespace rackline::decide {

// When items moved last, from the results that the actors wrote and from what was decided earlier in this
// stream. An item is known by a name that stays with it when it moves.
class History {
 public:
  void add(const std::string& item, record::Time time);
  // Whether the item moved less than `cooldown` before `now`.
  bool cooling(std::string_view item, record::Time now, std::chrono::milliseconds cooldown) const;
  // How many items moved lately: one that moves now counts 1, one that moved a day ago 1/e.
  double recent(record::Time now) const;

 private:
  ByName<record::Time> last_;
};

}  // namespace rackline::decide
