// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/kinds_capacity.h"
#include "series/track.h"

namespace rackline::usage {

// What is watched of hosts and VMs. Percent, but for swap: bytes per second.
enum class Resource { kCpu, kMemory, kSteal, kPressure, kSwap };
inline constexpr std::array<std::string_view, 5> kResources{"cpu", "memory", "steal", "pressure", "swap"};

using Bands = std::array<series::Edges, kResources.size()>;  // by Resource

struct WatchPolicy : series::Policy {
  // Of a VM: memory is what the guest itself says it cannot do without.
  Bands hosts{{{.high = 75}, {.high = 90}, {.high = 10}, {.high = 10}, {}}};
  Bands vms{{{.high = 90}, {.high = 95}, {.high = 10}, {}, {.high = 1 << 20}}};
};

// Follows hosts and VMs through rounds of samples: windows of what they use, and the fluctuations when use
// leaves its band. Time is what the rounds say; the memory of whoever was not seen for a whole span is let
// go, so that it does not grow with the VMs that come and go.
class Watch {
 public:
  explicit Watch(WatchPolicy policy) : policy_(policy) {}

  // A sample of the present round. A VM that is moving has one on each host; the one that runs
  // counts.
  void add(const record::HostSample& host);
  void add(const record::VmSample& vm);

  // Complete but for `tool`, in the order of names.
  struct Round {
    std::vector<record::HostUsage> hosts;
    std::vector<record::VmUsage> vms;
    std::vector<record::Fluctuation> fluctuations;
    std::vector<std::string> doubts;  // samples that cannot be right, each object once: for a person
  };
  // Closes the round. `at` is on a clock that never steps and not before that of the round before; `time` is
  // what the records are stamped with.
  Round end_round(Milliseconds at, record::Time time);

  std::size_t followed() const { return hosts_.size() + vms_.size(); }

 private:
  struct Object {
    std::array<series::Track, kResources.size()> tracks;
    std::string name, host, uuid;
    Milliseconds met{0};                // in a record
    std::optional<Milliseconds> known;  // with a figure in it: who is away or stopped has records too
    bool seen = false;                  // in the present round
    bool doubted = false;               // it has been said
    std::string doubt;
    bool vm = false;
    // Of VMs:
    series::Window memory;  // that they occupy, in bytes; the track has the guest's view
    std::optional<double> memory_bytes, vcpus;
    bool runs = false;
  };
  using Objects = std::map<std::string, Object>;

  void follow(Objects& objects, const Bands& bands, const series::Moment& moment, Round& round);
  void follow(Object& object, const Bands& bands, const series::Moment& moment, Round& round);
  void let_go(Object& object, const series::Moment& moment, Round& round) const;
  static series::Who who_is(const Object& object);
  static void tell(const Object& object, std::optional<record::Fluctuation> fluctuation, Round& round);
  record::HostUsage host_usage(const Object& host, Milliseconds at, record::Time time) const;
  record::VmUsage vm_usage(const Object& vm, Milliseconds at, record::Time time) const;

  WatchPolicy policy_;
  Objects hosts_, vms_;  // by name; of VMs with the UUID, since two hosts may have one name twice
};

}  // namespace rackline::usage
