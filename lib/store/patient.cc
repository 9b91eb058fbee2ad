// SPDX-License-Identifier: Apache-2.0
#include "store/patient.h"

#include "base/error.h"
#include "base/interrupt.h"

namespace rackline::store {

std::unique_ptr<Store> open_patiently(const std::string& url, const Clock& clock, Milliseconds patience) {
  for (const auto until = clock.monotonic() + patience;;) {
    try {
      return Store::open(url);
    } catch (const Error& error) {
      if (error.status() != Status::kBusy || clock.monotonic() >= until || interrupt::requested()) throw;
    }
  }
}

}  // namespace rackline::store
