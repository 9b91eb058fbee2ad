// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace rackline::audit {

// Who writes, and why: stands in every line.
struct Author {
  std::string actor, host;
  std::optional<std::string> request, cause;
};

std::string this_machine();

}  // namespace rackline::audit
