// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "capacity/facts.h"
#include "capacity/speed.h"
#include "capacity/taken.h"
#include "plan/model.h"
#include "plan/order.h"
#include "plan/state.h"
#include "record/kinds_capacity.h"
#include "record/kinds_planning.h"
#include "record/kinds_reserve.h"

namespace rackline::capacity {

// What balance() lowers.
enum class Objective : std::uint8_t {
  kLoad,    // the score of State: of loads
  kGaneti,  // the score of hbal: of promises (capacity/evenness.h)
};

// What each part of hbal's score counts, as it does; memory and virtual CPUs both as they are and with what
// is forthcoming.
struct EvenWeights {
  double memory = 1;
  double vcpus = 1;
  double cpu = 1;
  double servers = 3;
  double offline = 20;
  double exclusion = 2;
};

// What each part of the score of State counts.
struct LoadWeights {
  double memory = 0.5;
  double cpu = 0.5;
  double overload = 2;
};

// A machine of 2020 makes about so many evaluations of a search in a millisecond. Budgets are counted in them
// and not by a clock, so that the same input gives the same plan on any machine.
inline constexpr std::int64_t kStepsPerMillisecond = 50'000;

// What a person may set. Shares are percent.
struct Policy {
  Objective objective = Objective::kLoad;
  LoadWeights load_weights;
  EvenWeights even_weights;
  double least_gain = 0.5;  // of a move, divided by the number of hosts, for the score of hbal
  std::int64_t budget = 4000 * kStepsPerMillisecond;  // evaluations of the search for hbal's score
  double threshold_percent = 75;                      // CPU load above which a host is relieved
  double memory_threshold_percent = 90;               // the same for memory given away
  double imbalance =
      std::numeric_limits<double>::infinity();  // evens out above this score of imbalance as well
  double margin = 0.06;     // a move has to lower the score by this, divided by the number of hosts
  std::optional<int> hold;  // rounds above the threshold before anything is done; unset: as the outlook says
  std::chrono::milliseconds horizon = std::chrono::hours(6);        // for so long loads are taken to last
  std::chrono::milliseconds move_price = std::chrono::seconds(30);  // overload that a move has to spare in it
  double max_change_percent = 30;
  bool force = false;
  int max_moves = std::numeric_limits<int>::max();
  double cpu_overcommit = 8;                                    // where the host does not say
  std::int64_t memory_reserve_bytes = std::int64_t{256} << 20;  // likewise
  bool keep_spare = true;
  bool clock_is_speed = true;  // CPUs of a higher clock do more
  bool same_cpu_model = true;  // nothing moves live to another CPU model, unless a rule says that it may
  std::uint64_t seed = 0;
  plan::Caps caps;
  std::chrono::milliseconds cooldown = std::chrono::minutes(30);
  std::chrono::milliseconds stale = std::chrono::minutes(2);
};

// The resources of the model; behind them comes one for each size of huge pages that VMs have, in bytes.
inline constexpr int kMemory = 0;  // bytes, without pools of huge pages
// Thousandths of a CPU. Virtual ones are promised; of real ones, those of the fastest host are kept busy.
inline constexpr int kCpu = 1;

// What the translation depends on beside the round.
struct Question {
  std::vector<std::string> leaving;         // hosts to be emptied
  std::vector<record::VmRequest> requests;  // VMs that are still nowhere
  bool stopped_too = false;                 // stopped VMs are items as well
  bool empties_in_turn = false;             // each host is to be emptied once
  bool unmeasured_too = false;              // VMs of unknown CPU load may move
  bool promises_only = false;               // ... and hosts of unknown CPU load take part
  // Hosts that heartbeat tells something about: by name, what. Nothing goes there.
  std::map<std::string, std::string> closed;
  const Speeds* speeds = nullptr;  // of the CPUs; nullptr: all alike
  // What is promised to somebody: nobody else gets it.
  std::vector<record::Reservation> reservations;
  std::function<std::string(const record::VmSample&)> held_vm;      // why it may not move; empty: it may
  std::function<std::string(const record::HostSample&)> held_host;  // why it is left out; empty: it is not
};

// A round as a model, and the way back to names. Hosts and VMs are in the order of their names,
// so that the order of the records does not matter.
//
// What is not known makes a host or a VM frozen: a host that is not up, was sampled too long ago,
// says nothing of its CPUs, memory or CPU load, or runs other VMs than were seen; a VM
// without memory or CPU figures, in an unclear state, or seen running on two hosts (it is on its way).
struct Cluster {
  struct Vm {
    std::string name;
    const record::VmSample* sample = nullptr;  // nullptr: a request
    bool live = false;                         // it runs, so that it cannot go to any CPU
    std::string bound;                         // the reservation that keeps it where it is, if any
    std::string frozen;                        // why, empty when it is not
    // What it is, and not what is known of it, keeps it where it is.
    bool is_bound() const { return sample != nullptr && sample->bound_by && !sample->bound_by->empty(); }
  };
  struct HostState {
    std::string name;
    const record::HostSample* sample = nullptr;  // nullptr: named by VMs only
    std::string frozen;
    std::string closed;             // why nothing goes there, if it is not drained or to be emptied
    plan::Amount held[2] = {0, 0};  // kMemory, kCpu: reserved, and not used by whom it is for
    // It has promised more memory than it has, but only what balloons have taken back, which was meant, or
    // what guests may have in huge pages, which is not known.
    bool perhaps_promised = false;
    bool holds(int resource) const { return resource <= kCpu && held[resource] > 0; }
  };

  plan::Model model;
  std::vector<HostState> hosts;
  std::vector<Vm> vms;
  std::int64_t running = 0;  // active VMs, the "fleet" of the change guard
  Taken taken;

  const std::string& host(int bin) const { return hosts[static_cast<std::size_t>(bin)].name; }
  const Vm& vm(int item) const { return vms[static_cast<std::size_t>(item)]; }
  int find_host(const std::string& name) const;  // plan::kNowhere when there is none
};

// The result points into `round`.
Cluster make_cluster(const Round& round, const Rules& rules, const Policy& policy, const Question& question);

}  // namespace rackline::capacity
