// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rackline::ha {

// A number that nobody can guess.
std::uint64_t random_number();

}  // namespace rackline::ha
