// SPDX-License-Identifier: Apache-2.0
#include "storage/words.h"

#include <cmath>

#include "base/joined.h"
#include "base/units.h"
#include "decide/guard.h"

namespace rackline::storage {

using decide::percent_text;

std::string Words::overload(const plan::State& state, int bin) const {
  std::string text;
  const auto tell = [&](int resource, const char* word, double limit) {
    const double share = 100 * state.share(bin, resource);
    if (share <= limit) return;
    text += (text.empty() ? array(bin).name : ",") + " " + word + " " + percent_text(share) + " > " +
            percent_text(limit);
  };
  tell(kSpace, "space", policy_.space_percent);
  if (array(bin).fit.known()) tell(kLoad, "load", policy_.load_percent);
  return text;
}

std::string Words::load(const plan::State& state, int bin) const {
  std::string text = array(bin).name + " space " + percent_text(100 * state.share(bin, kSpace));
  if (fleet_.model.supply(bin, kLoad).size > 0)
    text += " load " + percent_text(100 * state.share(bin, kLoad));
  return text;
}

std::vector<std::string> Words::left_out() const {
  std::vector<std::string> texts;
  for (const auto& array : fleet_.arrays) {
    if (!array.frozen.empty()) texts.push_back(array.name + " is left out: " + array.frozen);
  }
  return texts;
}

std::string Words::amount(int resource, plan::Amount value) const {
  if (resource == kSpace) return format_bytes(value) + " below the threshold";
  if (resource == kPromise) return format_bytes(value) + " that may be promised";
  return std::to_string(std::llround(static_cast<double>(value) / 1000)) + " commands a second of load";
}

std::pair<std::string, std::string> Words::forbidden(int item, int bin) const {
  const Fleet::Lun& lun = fleet_.lun(item);
  for (const auto& rule : rules_.all()) {
    if ((rule.rule != "pin" && rule.rule != "exclude") || !LunRules::binds(rule, lun.name)) continue;
    const bool named = LunRules::names_array(rule, array(bin).name);
    if (rule.rule == "pin" && !named) return {"pin", "pinned to " + joined(*rule.arrays)};
    if (rule.rule == "exclude" && named) return {"exclude", "excluded by a rule"};
  }
  if (lun.left.contains(array(bin).name)) return {"returned", "it came from there"};
  return unfit(fleet_, item, bin);
}

std::string Words::constraint_of_capacity(int /*bin*/, int resource) const {
  return resource == kSpace ? "space" : resource == kPromise ? "promise" : "load";
}

}  // namespace rackline::storage
