// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/lead.h"

#include "base/interrupt.h"
#include "base/service.h"

namespace rackline::heartbeat {

std::optional<store::Lock> stand_by(store::Store& store, const Clock& clock) {
  notify_service("READY=1\nSTATUS=standby");
  std::optional<store::Lock> leading;
  while (!leading && !interrupt::requested()) {
    notify_service("WATCHDOG=1");
    leading = store.lock("lead", clock, clock.monotonic() + std::chrono::seconds{1});
  }
  return leading;
}

}  // namespace rackline::heartbeat
