// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace rackline::heartbeat {

struct DetectorPolicy {
  enum class Kind { kFixed, kPhi };
  Kind kind = Kind::kFixed;
  Milliseconds interval{1000};      // between two heartbeats
  Milliseconds suspect{2000};       // silence that raises suspicion (kFixed)
  Milliseconds dead{3000};          // silence that is death, as far as this channel goes (kFixed)
  double phi = 8;                   // the same for kPhi; half of it raises suspicion
  Milliseconds min_deviation{100};  // kPhi: a very regular channel is not to die of one late heartbeat
};

// The times that suit heartbeats at this interval. Dead after three of them, but after a second at the least:
// below that the pauses of a busy machine (and of the storage, which takes no beat more often than every
// kSlotPace) are as long as the silence of a dead one. Suspect after two thirds of that; the last third is
// the time in which libvirtd and other hosts have to answer. `suspect` and `dead` are what a person wants; 0:
// nothing.
DetectorPolicy paced(Milliseconds interval, Milliseconds suspect, Milliseconds dead);

// A beat on the storage is durable when it is written, which costs a disk's cache flush each: no more often
// than this, however often beats go over the network. Four of them fit into the shortest time to death.
inline constexpr Milliseconds kSlotPace{250};

// Says from the arrival of heartbeats alone how suspicious the present silence is. Two kinds: a fixed
// timeout, and the phi-accrual detector of Hayashibara et al., "The phi accrual failure detector" (SRDS
// 2004): phi = -log10(P(a heartbeat comes later than this)), from a normal distribution with mean and
// deviation of the last intervals. The fixed timeout is the default: heartbeat replay tells which one is
// better on a trace.
class Detector {
 public:
  void heard(Milliseconds now, const DetectorPolicy& policy);
  // The last `by` did not count: nobody was listening.
  void forgive(Milliseconds by);

  bool ever() const { return last_.has_value(); }
  // Since the last heartbeat; 0 when there never was one.
  Milliseconds silence(Milliseconds now) const;
  bool suspicious(Milliseconds now, const DetectorPolicy& policy) const;
  bool dead(Milliseconds now, const DetectorPolicy& policy) const;
  double phi(Milliseconds now, const DetectorPolicy& policy) const;

 private:
  static constexpr std::size_t kWindow = 64;
  std::optional<Milliseconds> last_;
  // The last intervals, in ms, as a ring; only kPhi fills it.
  std::array<float, kWindow> intervals_{};
  std::uint32_t count_ = 0;
  double sum_ = 0, squares_ = 0;
};

}  // namespace rackline::heartbeat
