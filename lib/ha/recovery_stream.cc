// SPDX-License-Identifier: Apache-2.0
#include "ha/recovery_stream.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"

namespace rackline::ha {

RecoveryStream::~RecoveryStream() {
  while (glance_ && !wakeup_->wait_for(Milliseconds{1000}, [this] { return glance_->ready(); })) {
  }
}

void RecoveryStream::run() {
  constexpr Milliseconds kGlance{100};
  // The first answer of a libvirtd takes seconds; when a host has died there is no time for that.
  glance_.emplace(wakeup_, recovery_.glance());
  bool first = true;
  auto due = clock_.monotonic();
  while (!feed_.over() && !interrupt::requested()) {
    const bool soon = glance_ || recovery_.starts_left();
    const auto patience = soon ? kGlance : std::clamp(due - clock_.monotonic(), kGlance, pace_.keep);
    const auto fenced = feed_.next(patience);
    for (const auto& host : feed_.contradicted()) recovery_.contradict(host);
    if (fenced) {
      if_free([&] { recovery_.accept(fenced->first, fenced->second); });
      outdated_ = glance_.has_value();
      first = false;
      hooks_.accepted(fenced->first);
      // One that waits for the lock asks again at once: that is a wait by itself.
      due = clock_.monotonic() + (recovery_.waiting() ? Milliseconds{0} : pace_.retry);
    }
    if (feed_.over() || interrupt::requested()) break;
    recovery_.collect(false);
    if (glance_ && glance_->ready()) {
      const View seen = glance_->get();
      glance_.reset();
      // What was seen before something was done is not what is.
      if (std::exchange(outdated_, false)) continue;
      // At the start there is nothing yet that was left: who is off may be booting with the hosts.
      if (!std::exchange(first, false)) keep(seen);
      if (!interrupt::requested()) hooks_.looked(seen);
      due = clock_.monotonic() + (recovery_.pending() ? pace_.retry : pace_.keep);
    } else if (!glance_ && clock_.monotonic() >= due && !feed_.has_news()) {
      glance_.emplace(wakeup_, recovery_.glance());
    }
  }
  recovery_.collect(true);
  // Nothing more is coming: now or never.
  if (recovery_.waiting() && !interrupt::requested()) recovery_.retry();
}

void RecoveryStream::keep(const View& seen) {
  if (interrupt::requested()) return;  // it was cut short
  if (!recovery_.pending())
    recovery_.keep(&seen);
  else
    if_free([&] { recovery_.retry(&seen); });
}

// Another failover, a refresh or a person's command may hold the lock for minutes. Whoever watches a stream
// must not end of that: the proof that has just come in will not be told a second time.
void RecoveryStream::if_free(const std::function<void()>& work) {
  try {
    work();
    busy_ = false;
  } catch (const Error& error) {
    if (error.status() != Status::kBusy || !recovery_.waiting()) throw;
    if (!busy_) hooks_.warn(std::string(error.what()) + "; trying again");
    busy_ = true;
  }
}

}  // namespace rackline::ha
