// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <map>
#include <string>

#include "record/kinds_capacity.h"

namespace rackline::decide {

// Fluctuations that last, which moves name as their causes.
class Causes {
 public:
  // `object`: what it is about, as "vm web1". One for each resource of it, so that the return of one does not
  // end what another has begun. What is below its band calls for no relief.
  void hear(const record::Fluctuation& fluctuation, const std::string& object);
  // The id of the first that lasts, in the order of the objects and then of the resources; empty for none.
  std::string of(std::initializer_list<std::string> objects,
                 std::initializer_list<const char*> resources) const;

 private:
  std::map<std::string, std::string> lasting_;  // "vm web1 cpu": its id
};

}  // namespace rackline::decide
