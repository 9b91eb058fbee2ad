// SPDX-License-Identifier: Apache-2.0
#include "capacity/planner.h"

namespace rackline::capacity {

void Planner::hear(const record::HostState& state, bool in_order) {
  if (in_order) {
    closed_hosts_.erase(state.host);
  } else {
    closed_hosts_[state.host] = "heartbeat says " + state.verdict;
  }
}

void Planner::hear(const record::Fluctuation& fluctuation) {
  const bool of_vm = fluctuation.object == "vm" && fluctuation.vm;
  if (!of_vm && !fluctuation.host) return;  // of an array
  const std::string object = of_vm ? "vm " + *fluctuation.vm : "host " + *fluctuation.host;
  causes_.hear(fluctuation, object);
}

void Planner::hear(const record::Reservation& reservation) {
  if (reservation.planned.value_or(false)) return;
  if (reservation.state == "active") {
    reservations_[reservation.id] = reservation;
  } else {
    reservations_.erase(reservation.id);
  }
}

// The fluctuation that the move answers: of the VM itself, else of the host that it relieves.
std::string Planner::cause_of(const record::VmMove& move) const {
  return causes_.of({"vm " + move.vm, "host " + move.from}, {"cpu", "memory", "pressure", "steal", "swap"});
}

// All that may be asked of the whole cluster: what is stopped and what moved lately included.
Question Planner::question_of_all() const {
  Question question;
  question.stopped_too = true;
  return question;
}

}  // namespace rackline::capacity
