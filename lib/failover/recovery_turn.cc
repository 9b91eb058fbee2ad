// SPDX-License-Identifier: Apache-2.0
// What passes share: the lock, a look that was taken meanwhile, and starts that go on from one to the next.
#include <algorithm>

#include "failover/recovery.h"

namespace rackline::failover {

// The lock; nothing when somebody else has it.
std::shared_ptr<store::Lock> Recovery::turn(bool wait) {
  collect(false);
  if (lock_ != nullptr) return lock_;
  auto lock = wait ? store_.lock("failover", clock_, clock_.monotonic() + policy_.lock_timeout)
                   : store_.try_lock("failover");
  return lock ? std::make_shared<store::Lock>(std::move(*lock)) : nullptr;
}

std::function<View()> Recovery::glance() {
  Situation now;
  now.inventory = inventory_;
  now.read_marks(store_, clock_.wall());
  return [now = std::move(now), cluster = &cluster_, timeout = policy_.timeout]() mutable {
    now.look(*cluster, timeout);
    return std::move(now.view);
  };
}

void Recovery::collect(bool wait) {
  std::erase_if(left_, [wait](const auto& run) { return run->collect(wait); });
  if (left_.empty()) lock_.reset();
}

// Whether it is being started by an earlier pass, which will hear of it. Where that host is proven to be off,
// the start is history.
bool Recovery::under_way(const Verdict& verdict, const Situation& situation) const {
  return std::any_of(left_.begin(), left_.end(), [&](const auto& run) {
    const auto starts = run->under_way();
    return std::any_of(starts.begin(), starts.end(), [&](const auto& start) {
      return start.first.vm == verdict.vm.vm && !situation.fenced(start.second);
    });
  });
}

// Whether what was seen is of all hosts that have to be asked by now.
bool Recovery::fits(const Situation& situation, const View& seen) const {
  const auto has = [&seen](const std::string& host) { return seen.hosts.contains(host); };
  const auto asked = situation.to_ask();
  const auto planned = situation.to_ask_in_maintenance();
  return std::all_of(asked.begin(), asked.end(), has) && std::all_of(planned.begin(), planned.end(), has);
}

}  // namespace rackline::failover
