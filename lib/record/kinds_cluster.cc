// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_cluster.h"

#include "record/describe.h"

namespace rackline::record {
namespace {

constexpr Field kHostStatusFields[] = {
    HEAD(HostStatus),
    FIELD(HostStatus, host, "name of the host", "HOST"),
    FIELD(HostStatus, state,
          "serving; or draining, maintenance, fenced, returning or unknown: nothing is placed there",
          "STATE"),
    FIELD(HostStatus, since, "since when it does not serve", "SINCE"),
    FIELD(HostStatus, until, "when it serves again by itself", "UNTIL", kOmitted),
    FIELD(HostStatus, by, "who says so", "BY"),
    FIELD(HostStatus, verdict, "of heartbeat, where it is not well", {}, kOmitted),
    FIELD(HostStatus, reason, "why", "REASON"),
};

constexpr Field kHostDrainedFields[] = {
    HEAD(HostDrained),
    FIELD(HostDrained, id, "name of this drain"),
    FIELD(HostDrained, host, "host that was to be emptied", "HOST"),
    FIELD(HostDrained, outcome,
          "done: it is empty and in maintenance; already: it was; failed: what is left is named; refused: a "
          "rule forbids it; interrupted",
          "OUTCOME"),
    FIELD(HostDrained, moved, "virtual servers that were moved away", "MOVED"),
    FIELD(HostDrained, rounds, "plans that were carried out"),
    FIELD(HostDrained, left, "virtual servers that are still there", "LEFT", kOmitted),
    FIELD(HostDrained, reason, "why it is not empty", "REASON"),
    FIELD(HostDrained, planned, "true: a dry run, nothing was touched", {}, kOmitted),
    FIELD(HostDrained, elapsed_ms, "how long it took", "TIME"),
};

}  // namespace

const Kind HostStatus::kKind{"host_status",
                             Role::kFact,
                             "The one state that every program believes of a host.",
                             "rackline hosts, heartbeat maintenance",
                             "people",
                             kHostStatusFields};
const Kind HostDrained::kKind{"host_drained",   Role::kResult, "What became of emptying a host.",
                              "rackline drain", "people",      kHostDrainedFields};

}  // namespace rackline::record
