// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "iscsi/tgt.h"
#include "record/kinds_inventory.h"
#include "record/kinds_storage.h"
#include "storage/visit.h"

namespace rackline::storage {

// What a tgtd says of itself, twice for the counters.
struct TgtView {
  std::vector<iscsi::TgtTarget> targets;
  std::optional<std::vector<iscsi::TgtCounters>> before;  // none: no rates
  std::vector<iscsi::TgtCounters> now;
  Milliseconds window{0};  // between the two
  iscsi::TgtRoom room;
};

struct Described {
  record::ArraySample array;  // state "up"; elapsed_ms and probes are the caller's
  std::vector<record::LunSample> luns;
};

// What a sample says of an array from the inventory, whether it answered or not.
record::ArraySample head_of(const record::Array& array);

// The records of an array, without time and tool: pure. `lost` is by IQN.
// `initiator` is ours, who counts nowhere as a consumer.
Described describe(const record::Array& array, const std::optional<TgtView>& tgt,
                   const std::map<LunKey, LunView>& luns, const std::map<std::string, Lost>& lost,
                   const std::string& initiator);

}  // namespace rackline::storage
