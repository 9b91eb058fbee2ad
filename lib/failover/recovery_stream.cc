// SPDX-License-Identifier: Apache-2.0
#include "failover/recovery_stream.h"

#include <algorithm>
#include <utility>

#include "base/interrupt.h"

namespace rackline::failover {

RecoveryStream::~RecoveryStream() {
  while (glance_ && !wakeup_->wait_for(Milliseconds{1000}, [this] { return glance_->ready(); })) {
  }
}

void RecoveryStream::run() {
  constexpr Milliseconds kGlance{100};
  service_.begin();
  // The first answer of a libvirtd takes seconds; when a host has died there is no time for that.
  glance_.emplace(wakeup_, recovery_.glance());
  bool first = true;
  auto due = clock_.monotonic();
  while (!feed_.over() && !interrupt::requested()) {
    const bool soon = glance_ || recovery_.starts_left();
    const auto patience = soon ? kGlance : std::clamp(due - clock_.monotonic(), kGlance, pace_.keep);
    const auto fenced = feed_.next(patience);
    for (const auto& life : feed_.contradicted()) recovery_.contradict(life);
    if (fenced) {
      service_.take(fenced->first, fenced->second);
      outdated_ = glance_.has_value();
      first = false;
      service_.patiently([&] { hooks_.accepted(fenced->first); });
      // One that waits for the lock asks again at once: that is a wait by itself.
      due = clock_.monotonic() + (recovery_.waiting() ? Milliseconds{0} : pace_.retry);
    }
    if (feed_.over() || interrupt::requested()) break;
    service_.patiently([this] { recovery_.collect(false); });
    if (glance_ && glance_->ready()) {
      const View seen = glance_->get();
      glance_.reset();
      // What was seen before something was done is not what is.
      if (std::exchange(outdated_, false)) continue;  // @rule 01-outdated-look
      // At the start there is nothing yet that was left: who is off may be booting with the hosts.
      if (!std::exchange(first, false) && !interrupt::requested()) service_.idle(&seen);
      if (!interrupt::requested()) service_.patiently([&] { hooks_.looked(seen); });
      due = clock_.monotonic() + (service_.waiting() || recovery_.pending() ? pace_.retry : pace_.keep);
    } else if (!glance_ && clock_.monotonic() >= due && !feed_.has_news()) {
      glance_.emplace(wakeup_, recovery_.glance());
    }
  }
  recovery_.collect(true);
  if (!interrupt::requested()) service_.end();
}

}  // namespace rackline::failover
