// SPDX-License-Identifier: Apache-2.0
#include "ha/nonce.h"

#include <sys/random.h>

#include "base/error.h"

namespace rackline::ha {

std::uint64_t random_number() {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number)
    throw system_error(Status::kUnreachable, "draw a random number", "getrandom");
  return number;
}

}  // namespace rackline::ha
