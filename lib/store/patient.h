// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/time.h"
#include "store/store.h"

namespace rackline::store {

// Opens the store, and waits while others keep it locked, as a backup does: for `patience`, or until a stop
// is asked for (interrupt.h). Throws as Store::open.
std::unique_ptr<Store> open_patiently(const std::string& url, const Clock& clock, Milliseconds patience);

}  // namespace rackline::store
