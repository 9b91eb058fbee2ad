// SPDX-License-Identifier: Apache-2.0
#include "decide/causes.h"

namespace rackline::decide {

void Causes::hear(const record::Fluctuation& fluctuation, const std::string& object) {
  const std::string key = object + " " + fluctuation.resource;
  if (fluctuation.direction == "above") {
    lasting_[key] = fluctuation.id;
  } else {
    lasting_.erase(key);
  }
}

std::string Causes::of(std::initializer_list<std::string> objects,
                       std::initializer_list<const char*> resources) const {
  for (const std::string& object : objects) {
    for (const char* resource : resources) {
      const auto found = lasting_.find(object + " " + resource);
      if (found != lasting_.end()) return found->second;
    }
  }
  return {};
}

}  // namespace rackline::decide
