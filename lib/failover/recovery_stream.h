// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "failover/fenced_feed.h"
#include "failover/recovery.h"
#include "failover/recovery_service.h"
#include "wait/pending.h"

namespace rackline::failover {

// The life of a failover that reads a stream: it acts on each proof as it comes, and between them looks at
// the hosts for what should run and does not. That look is taken on a thread of its own, so that a host which
// hangs delays no proof.
class RecoveryStream {
 public:
  struct Hooks {
    std::function<void(const record::HostFenced&)> accepted;
    std::function<void(const View&)> looked;  // and what followed from it was done
    std::function<void(const std::string&)> warn;
  };
  struct Pace {
    Milliseconds retry{5000};  // one that was refused is asked again after this
    Milliseconds keep{10'000};
  };
  RecoveryStream(Recovery& recovery, FencedFeed& feed, const Clock& clock, Hooks hooks)
      : RecoveryStream(recovery, feed, clock, std::move(hooks), Pace()) {}
  RecoveryStream(Recovery& recovery, FencedFeed& feed, const Clock& clock, Hooks hooks, Pace pace)
      : recovery_(recovery),
        service_(recovery, hooks.warn),
        feed_(feed),
        clock_(clock),
        hooks_(std::move(hooks)),
        pace_(pace) {}
  // Waits for a look that is under way: it refers to the cluster.
  ~RecoveryStream();
  RecoveryStream(const RecoveryStream&) = delete;
  RecoveryStream& operator=(const RecoveryStream&) = delete;

  // Until the stream ends or a stop is asked for (interrupt.h). Throws what reading it throws.
  void run();

 private:
  Recovery& recovery_;
  RecoveryService service_;
  FencedFeed& feed_;
  const Clock& clock_;
  Hooks hooks_;
  Pace pace_;
  std::shared_ptr<wait::Wakeup> wakeup_ = std::make_shared<wait::Wakeup>();
  std::optional<wait::Pending<View>> glance_;
  bool outdated_ = false;  // the look that is under way
};

}  // namespace rackline::failover
