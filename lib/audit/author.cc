// SPDX-License-Identifier: Apache-2.0
#include "audit/author.h"

#include <unistd.h>

#include <array>

namespace rackline::audit {

std::string this_machine() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

}  // namespace rackline::audit
