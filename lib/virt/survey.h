// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "record/kinds_capacity.h"
#include "record/kinds_inventory.h"
#include "virt/pool.h"
#include "virt/sample.h"

namespace rackline::virt {

// Samples the hosts of an inventory, round after round, all at once.
class Survey {
 public:
  struct Patience {
    Milliseconds timeout;  // for the answer of a host, the window not counted
    // As `timeout`, for a host that gave no answer in the round before: short enough, one that stays frozen
    // does not hold up round after round.
    Milliseconds suspect_timeout;
    Milliseconds window;  // between the two samples of a host that was not sampled in the round before
  };

  // `site`: all hosts of the inventory, to tell what binds VMs to theirs; empty: that is not told.
  Survey(std::vector<record::Host> hosts, Patience patience, const std::vector<record::Host>& site = {});

  struct Seen {
    std::size_t index;        // of the host in the inventory
    record::HostSample host;  // complete but for time and tool; state says whether there was an answer
    std::vector<record::VmSample> vms;
  };

  // Calls `each` with every host as it answers, or when it has not in time. False when a stop was asked for
  // (interrupt.h) before all were seen.
  bool round(const std::function<void(Seen)>& each);

  // The names of the VMs of all hosts; `missed` is told of each host that does not say.
  std::set<std::string> vm_names(const std::function<void(const Error&)>& missed);

  std::size_t size() const { return hosts_.size(); }

 private:
  struct Known {
    record::Host host;
    StoragePtr storage;    // null: what binds VMs is not asked for
    BaselinePtr baseline;  // null: no counters to compare with
    bool suspect = false;
    // Time that the work of the present round spends between two samples; shared with it.
    std::shared_ptr<std::atomic<Milliseconds::rep>> paused;
  };

  Question<Sample> question(std::size_t index);
  Seen seen(Answer<Sample> answer);

  std::vector<Known> hosts_;
  Patience patience_;
  HostPool pool_;
};

}  // namespace rackline::virt
