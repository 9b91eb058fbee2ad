// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/time.h"
#include "store/store.h"

namespace rackline::heartbeat {

// Of several controllers that run the same pipeline on one store, one leads: the holder of the store's lock
// "lead", which vanishes with its process. Waits for it, and tells systemd meanwhile that all is well;
// nothing when a stop was asked for first (interrupt.h).
std::optional<store::Lock> stand_by(store::Store& store, const Clock& clock);

}  // namespace rackline::heartbeat
