// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "record/kinds_capacity.h"
#include "series/band.h"
#include "series/window.h"

namespace rackline::series {

struct Policy {
  Shape shape;
  BandPolicy band;
};

// What is watched of an object. `unit`: percent, bytes_per_second, ms or iops.
struct Quantity {
  std::string_view name, unit;
};

// Whose quantity it is: for the ids of fluctuations, and for people as in "db1 on h1".
struct Who {
  std::string name, uuid, shown;
};

// When a round was: on a clock that never steps, and as records are stamped.
struct Moment {
  Milliseconds at{0};
  record::Time time{};
};

// One quantity of one object through rounds: its window, and the fluctuations when it leaves its band. Those
// are complete but for `tool` and the fields that name the object.
class Track {
 public:
  std::optional<double> value;  // of the present round; empty: not known
  double scale = 1;             // from the value to what its band is of; 0: it has no band in this round

  // Takes in the value.
  std::optional<record::Fluctuation> follow(const Policy& policy, const Quantity& quantity,
                                            const Edges& edges, const Who& who, const Moment& moment);
  // It was not seen: what was held so far proves nothing.
  void lose() { band_.lose(); }
  // It is not known any more, and has not been for so long: what was out would be out for ever to whoever
  // reads the stream. Forgets all.
  std::optional<record::Fluctuation> let_go(const Policy& policy, const Quantity& quantity, const Who& who,
                                            const Moment& moment, Milliseconds away);

  Summary summary(const Shape& shape, Milliseconds now) const { return window_.summary(shape, now); }

 private:
  record::Fluctuation describe(const Policy& policy, const Quantity& quantity, const Who& who,
                               const Moment& moment) const;

  Window window_;
  Band band_;
  std::string incident_;  // while it is out: the id of the fluctuation
  double threshold_ = 0, release_ = 0;
};

}  // namespace rackline::series
