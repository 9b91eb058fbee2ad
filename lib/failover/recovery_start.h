// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/time.h"
#include "failover/protection.h"
#include "failover/recovery_cluster.h"
#include "failover/recovery_verdict.h"
#include "probe/check.h"
#include "store/store.h"
#include "wait/pending.h"

namespace rackline::failover {

struct RecoveryPolicy {
  int max_total = 4;                    // starts at one time in all
  int max_per_host = 2;                 // on one host
  int attempts = 3;                     // of one VM, each on another host
  Milliseconds timeout{3000};           // for an answer of a host
  Milliseconds verify_timeout{60'000};  // for a start and its proof
  Milliseconds poll{200};
  // After the connection broke during a start: so long libvirtd is given to show what became of it.
  Milliseconds settle{10'000};
  // A look at the cluster that is older is taken again before a start that rests on it.
  Milliseconds fresh{5000};
  Milliseconds lock_timeout{10'000};
  bool dry_run = false;
};

// Whether what it checks serves, as probe::probe(); must return within about `timeout`.
using Probe = std::function<probe::Answer(const probe::Check&, Milliseconds timeout)>;

struct StartOrder {
  Intent intent;
  Protected vm;
  bool intent_open = false;  // by an earlier run
  bool verify_only = false;  // it runs there already
};

struct StartReport {
  enum class Outcome {
    kDone,
    kFailed,   // it does not run there, and nothing of it is left
    kStuck,    // it is there and does not run: a person has to look
    kUnknown,  // it may run there, or begin to: the intent stays open
  };
  Outcome outcome = Outcome::kFailed;
  std::string reason;
  bool checked = false;       // its check has answered
  bool check_silent = false;  // it has one, which has not answered in time
  std::optional<Milliseconds> start;
};

// One start on one host: intent, act, proof, result.
class Starter {
 public:
  Starter(const RecoveryPolicy& policy, std::shared_ptr<RecoveryHost> host, store::Store& store,
          StartJournal& journal, const Clock& clock, Probe probe, const store::Lock& lock)
      : policy_(policy),
        host_(std::move(host)),
        store_(store),
        journal_(journal),
        clock_(clock),
        probe_(std::move(probe)),
        lock_(lock) {}

  // Throws Error when the store does not answer, or the lock was lost: the intent is then as open as after a
  // crash.
  StartReport run(const StartOrder& order);

 private:
  enum class Begun { kNot, kRunning, kStarted, kUncertain, kFailed };
  Begun begin(const StartOrder& order, StartReport& report);
  std::optional<migrate::VmFacts> look(const StartOrder& order);
  bool await_running(const StartOrder& order, Begun& begun, StartReport& report);
  static void call_person(const StartOrder& order, StartReport& report);
  probe::Answer ask_check(const probe::Check& check) const;
  void await_check(const StartOrder& order, StartReport& report);
  void clean_up(const StartOrder& order, Begun begun, StartReport& report);
  // What the call that starts it has come to by now; kUncertain while it has no answer.
  Begun answer(StartReport& report);
  Milliseconds left() const { return deadline_ - clock_.monotonic(); }

  const RecoveryPolicy& policy_;
  std::shared_ptr<RecoveryHost> host_;
  store::Store& store_;
  StartJournal& journal_;
  const Clock& clock_;
  Probe probe_;
  const store::Lock& lock_;  // without it, another one may have gone on with the same work
  Milliseconds begun_{0}, deadline_{0};
  bool ours_ = true;  // the definition on the host
  std::shared_ptr<wait::Wakeup> wakeup_ = std::make_shared<wait::Wakeup>();
  std::optional<wait::Pending<void>> call_;  // without an answer
};

}  // namespace rackline::failover
