// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string_view>

#include "capacity/facts.h"
#include "capacity/speed.h"
#include "decide/forecast.h"

namespace rackline::capacity {

using decide::Expected;

// What VMs, and hosts beside them, have used over the rounds of a stream, in thousandths of a CPU of the
// fastest host, and what may be expected of them after that (decide/forecast.h). Memory is per VM and host,
// not per round; what is not seen any more is forgotten.
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
  struct Above {
    record::Time last{};
    int rounds = 0;
    double seconds = 0;  // the older the less
  };

  ByName<decide::Forecast> vms_;
  ByName<decide::Forecast> hosts_;
  ByName<Above> above_;
  record::Time time_{};
  std::chrono::seconds span_{0};
  int rounds_ = 0;
  std::int64_t seen_ = 0;
};

}  // namespace rackline::capacity
