// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string_view>

#include "capacity/facts.h"
#include "capacity/speed.h"

namespace rackline::capacity {

// What something is expected to keep busy, in thousandths of a CPU of the fastest host.
struct Expected {
  double mean = 0;
  double variance = 0;
};

// What VMs, and hosts beside them, have used over the rounds of a stream, and what may be
// expected of them after that.
//
// One sample says little: real servers are idle now and at four times their mean five minutes later, and a
// planner that believes the last sample moves for spikes. Kept are, for each, exponentially weighted means
// over the last half day and the last half hour, and a variance, corrected for their short past, with an
// assumed variance that counts as much as a few samples. What is expected is a mixture of both means: a
// server keeps its level, and what it did of late goes on for a while (on recorded days that is nearer to the
// next six hours than one mean of any memory). Percentiles of a window were discarded: those of a sum cannot
// be had from those of its parts, while means and variances add up, and what is asked is how a host fares
// with other servers. Memory is per VM and host, not per round; what is not seen any more is
// forgotten.
class Usage {
 public:
  // A round that is not later than the one before counts nothing: a clock that went back is no evidence.
  void count(const Round& round, double threshold_percent, const Speeds& speeds = {});

  int rounds() const { return rounds_; }
  std::chrono::seconds span() const { return span_; }  // from the first round to the last

  // A server that was never measured is expected to do what its sample says.
  Expected of(const record::VmSample& vm, double speed = 1) const;
  // What the host itself keeps busy beside its VMs; zero when that was never measured.
  Expected of_host(std::string_view host) const;
  // Whether the host is above the threshold and was in an earlier round as well, for half a minute in all of
  // the last two hours: two rounds are soon over where they are seconds apart.
  bool repeated(std::string_view host) const;

 private:
  // What is left, since the round before, of the weight of what was seen until then.
  struct Decay {
    double level, late;
  };
  struct Average {
    double weight = 0;  // seconds that it was watched, the older the less
    double mean = 0;

    // Returns by how much of its distance to the value the mean went there.
    double add(double value, double watched, double decay);
  };
  struct Track {
    Average level, late;  // over the last half day, and the last half hour
    double variance = 0;  // about the level
    std::int64_t round = 0;

    void add(double value, double watched, const Decay& decay, std::int64_t now);
  };
  struct Above {
    record::Time last{};
    int rounds = 0;
    double seconds = 0;  // the older the less
  };
  Expected expected(const Track& track, double size) const;

  ByName<Track> vms_;
  ByName<Track> hosts_;
  ByName<Above> above_;
  record::Time time_{};
  std::chrono::seconds span_{0};
  int rounds_ = 0;
  std::int64_t seen_ = 0;
};

}  // namespace rackline::capacity
