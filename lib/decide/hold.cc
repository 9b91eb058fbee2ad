// SPDX-License-Identifier: Apache-2.0
#include "decide/hold.h"

namespace rackline::decide {

void Hold::count(std::string_view bin, bool above, double percent) {
  auto found = counts_.find(bin);
  if (found == counts_.end()) {
    if (!above) return;
    found = counts_.emplace(bin, Count{}).first;
  }
  Count& count = found->second;
  // A round without the bin, or without its figures, breaks the row as well.
  count.rounds = !above ? 0 : count.seen == round_ - 1 ? count.rounds + 1 : 1;
  count.seen = round_;
  if (above) count.percent = percent;
}

double Hold::percent(std::string_view bin) const {
  const auto found = counts_.find(bin);
  return found != counts_.end() ? found->second.percent : 0;
}

int Hold::rounds(std::string_view bin) const {
  const auto found = counts_.find(bin);
  return found != counts_.end() && found->second.seen == round_ ? found->second.rounds : 0;
}

}  // namespace rackline::decide
