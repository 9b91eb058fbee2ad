// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "capacity/planner.h"
#include "record/reader.h"

namespace rackline::capacity {

// Takes the records of a stream into a planner, each kind to its place.
class Feed {
 public:
  explicit Feed(Planner& planner) : planner_(planner) {}

  // Takes the reader's present record. True when it is to be handed on: whoever comes later in the pipe may
  // want it. Throws Error(kUsage) for a rule that cannot be read: it would be broken unknowingly.
  bool take(record::Reader& reader);
  void take_rule(record::Reader& reader);

 private:
  bool take_notice(record::Reader& reader);

  Planner& planner_;
};

}  // namespace rackline::capacity
