// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/nonce.h"

#include <sys/random.h>

#include "base/error.h"

namespace rackline::heartbeat {

std::uint64_t random_number() {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number)
    throw system_error(Status::kUnreachable, "draw a random number", "getrandom");
  return number;
}

}  // namespace rackline::heartbeat
