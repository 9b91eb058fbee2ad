// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rackline::heartbeat {

// A number that nobody can guess.
std::uint64_t random_number();

}  // namespace rackline::heartbeat
