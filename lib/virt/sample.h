// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "record/kinds_capacity.h"
#include "virt/binding.h"
#include "virt/stats.h"

namespace rackline::virt {

// What one sample of a host leaves for the next one: its counters, for rates, and what is too dear to be
// asked each time. Immutable and shared, since a thread that hung and was left behind may still hold an old
// one.
struct Baseline {
  HostStats stats;
  HostModel model;
  struct Details {
    std::optional<std::int64_t> domain_id;
    VmWishes wishes;
    bool persistent = false;
    std::optional<Binding> binding{};
  };
  std::map<std::string, Details> details;  // by UUID
  HostPlugs plugs;
  std::chrono::steady_clock::time_point details_read;
};
using BaselinePtr = std::shared_ptr<const Baseline>;

struct Sample {
  record::HostSample host;  // state "up"; its name, the inventory's fields and elapsed_ms are the caller's
  std::vector<record::VmSample> vms;
  BaselinePtr baseline;
};

// Lets time pass between two samples; `meanwhile` is work that fits in there.
using Pause = std::function<void(const std::function<void()>& meanwhile)>;

// Samples the host. Rates are taken against `before`; without it the host is sampled twice, with a call of
// `pause` between (empty: once, and without rates). Throws VirtError(kUnreachable).
//
// With `storage`, what binds each VM to the host and what it could be plugged into there is read as well.
//
// Wishes, bindings and persistence are kept from `before` for a VM of the same incarnation for up to a
// minute: each costs a call, and they change by hand, seldom.
Sample sample(const Connection& connection, const BaselinePtr& before, const Pause& pause,
              const StoragePtr& storage = nullptr);

// The records of the counters in `now`, with rates since `before` where it is given: pure. `details` as in
// Baseline; a VM without an entry vanished and is left out. VMs come sorted by name. A rate is null where a
// counter is missing or went back (another incarnation, a device that was unplugged); a sum over VMs is null
// where one of its parts is.
Sample assemble(const HostStats& now, const HostStats* before, const HostModel& model,
                const std::map<std::string, Baseline::Details>& details);

// The names of all VMs of the host, running or not. Throws VirtError(kUnreachable).
std::set<std::string> domain_names(const Connection& connection);

// The word for a virDomainState in records: running, paused, shutoff, crashed, suspended or unknown.
const char* state_word(int state);
// The word for a virDomainShutoffReason: shutdown, destroyed, crashed, migrated, saved, failed,
// from_snapshot, daemon or unknown.
const char* shutoff_word(int reason);
// The word for a virDomainPausedReason: user, migration, save, dump, ioerror, watchdog, from_snapshot,
// shutting_down, snapshot, crashed, starting_up, postcopy, postcopy_failed or unknown.
const char* paused_word(int reason);

}  // namespace rackline::virt
