// SPDX-License-Identifier: Apache-2.0
#include "capacity/weights.h"

#include <charconv>
#include <cmath>
#include <map>
#include <ranges>
#include <string_view>

#include "base/error.h"
#include "base/joined.h"

namespace rackline::capacity {

void set_weights(Policy& policy, const std::string& text) {
  std::map<std::string_view, double*> parts;
  if (policy.objective == Objective::kGaneti) {
    EvenWeights& weights = policy.even_weights;
    parts = {{"memory", &weights.memory},   {"vcpus", &weights.vcpus},     {"cpu", &weights.cpu},
             {"servers", &weights.servers}, {"offline", &weights.offline}, {"exclusion", &weights.exclusion}};
  } else {
    LoadWeights& weights = policy.load_weights;
    parts = {{"memory", &weights.memory}, {"cpu", &weights.cpu}, {"overload", &weights.overload}};
  }
  const std::string names = joined(std::views::keys(parts));
  const auto refuse = [&](std::string_view part, const std::string& why) {
    throw Error(Status::kUsage, "read the weights", std::string(part), why, "such as cpu=1,memory=0.5");
  };
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const std::size_t equals = part.find('=');
    const auto found = parts.find(part.substr(0, equals));
    if (found == parts.end()) refuse(part, "this objective has the weights " + names);
    const std::string_view number = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || end != number.data() + number.size() || !std::isfinite(value) || value < 0) {
      refuse(part, "a weight is a number from 0 on");
    }
    *found->second = value;
  }
}

}  // namespace rackline::capacity
