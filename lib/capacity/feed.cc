// SPDX-License-Identifier: Apache-2.0
#include "capacity/feed.h"

#include "capacity/plausible.h"
#include "decide/required.h"

namespace rackline::capacity {

void Feed::take_rule(record::Reader& reader) {
  const auto rule = decide::required_rule(reader);
  if (!rule.luns) planner_.rules().add(rule);
}

bool Feed::take(record::Reader& reader) {
  bool hand_on = false;
  if (reader.is<record::VmSample>()) {
    record::VmSample& vm = planner_.round().vm_slot();
    if (reader.read(vm)) {
      distrust(vm);
      planner_.round().keep_vm();
    }
  } else if (reader.is<record::HostSample>()) {
    record::HostSample& host = planner_.round().host_slot();
    if (reader.read(host)) {
      distrust(host);
      planner_.round().keep_host();
    }
  } else if (reader.is<record::PlacementRule>()) {
    take_rule(reader);
  } else if (reader.is<record::VmRequest>()) {
    const auto request = decide::required_request<record::VmRequest>(reader);
    require_plausible(request);
    planner_.add(request);
  } else if (reader.is<record::HostUsage>() || reader.is<record::VmUsage>()) {
    // What the samples of the last while come to: facts as the samples, and no more to be handed on than
    // they.
  } else {
    hand_on = take_notice(reader);
  }
  return hand_on;
}

// What others want as well.
bool Feed::take_notice(record::Reader& reader) {
  const auto state = [&]<class K>(K record, bool in_order) {
    if (!reader.is<K>()) return false;
    if (reader.read(record)) planner_.hear(record, in_order);
    return true;
  };
  if (record::VmMoved moved; reader.is<record::VmMoved>()) {
    if (reader.read(moved)) planner_.history().add(moved);
  } else if (record::Fluctuation fluctuation; reader.is<record::Fluctuation>()) {
    if (reader.read(fluctuation)) planner_.hear(fluctuation);
  } else if (reader.is<record::Reservation>()) {
    // One that cannot be read would be given away unknowingly.
    planner_.hear(decide::required<record::Reservation>(
        reader, "read the reservations", "no plan is made without what is promised to others"));
  } else {
    const bool heard = state(record::HostUp(), true) || state(record::HostMaintenance(), false) ||
                       state(record::HostSuspect(), false) || state(record::HostDown(), false) ||
                       state(record::HostIsolated(), false) || state(record::HostPartitioned(), false) ||
                       state(record::HypervisorDown(), false);
    static_cast<void>(heard);
  }
  return true;
}

}  // namespace rackline::capacity
