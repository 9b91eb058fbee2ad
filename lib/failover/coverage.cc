// SPDX-License-Identifier: Apache-2.0
#include "failover/coverage.h"

#include "cluster/marks.h"

namespace rackline::failover {

void Coverage::name() {
  watch_.seen(view_, unprotected_vms(view_, protected_vms(store_), standing_rule(store_)));
}

void Coverage::keep_up() {
  if (!dry_run_ && standing_rule(store_)) {
    if (const auto held = store_.try_lock("failover")) protector_.take_new(view_);
  }
  name();
}

void Coverage::fenced(const std::string& host) {
  if (cluster::fence_mark(store_, host)) watch_.fenced(host);
  keep_up();
}

}  // namespace rackline::failover
