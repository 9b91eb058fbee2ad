// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/error.h"
#include "record/kinds_planning.h"
#include "record/reader.h"

namespace rackline::decide {

// The reader's present record, which is of the kind K. Throws Error(kUsage) for one that cannot be read,
// where a plan without it would be wrong unknowingly: `what` was read, and `why` it is needed.
template <class K>
K required(record::Reader& reader, const char* what, const char* why) {
  K record;
  if (!reader.read(record))
    throw Error(Status::kUsage, what, "line " + std::to_string(reader.line()), "it cannot be read", why);
  return record;
}

inline record::PlacementRule required_rule(record::Reader& reader) {
  return required<record::PlacementRule>(reader, "read the placement rules",
                                         "no plan is made without a rule that was meant to hold");
}

template <class K>
K required_request(record::Reader& reader) {
  return required<K>(reader, "read the requests", "somebody waits for an answer to it");
}

}  // namespace rackline::decide
