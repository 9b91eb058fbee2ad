// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_cluster.h"

#include "record/describe.h"
#include "record/kinds.h"

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

constexpr Field kClusterHealingFields[] = {
    HEAD(ClusterHealing),
    FIELD(ClusterHealing, state,
          "armed; or disarmed: fence switches nothing and failover starts nothing by itself", "HEALING"),
    FIELD(ClusterHealing, since, "since when it is disarmed", "SINCE"),
    FIELD(ClusterHealing, until, "when it is armed again by itself", "UNTIL"),
    FIELD(ClusterHealing, by, "who disarmed it", "BY"),
    FIELD(ClusterHealing, reason, "why", "REASON"),
    FIELD(ClusterHealing, planned, "true: a dry run, nothing was changed", {}, kOmitted),
};

constexpr Field kHostDrainedFields[] = {
    HEAD(HostDrained),
    FIELD(HostDrained, id, "name of this drain"),
    FIELD(HostDrained, host, "host that was to be emptied", "HOST"),
    FIELD(
        HostDrained, outcome,
        "done: it is empty and in maintenance; planned: a dry run; already: it was; failed: what is left is "
        "named; refused: a rule forbids it; interrupted",
        "OUTCOME"),
    FIELD(HostDrained, moved, "virtual servers that were moved away", "MOVED"),
    FIELD(HostDrained, rounds, "plans that were carried out"),
    FIELD(HostDrained, left, "virtual servers that are still there", "LEFT", kOmitted),
    FIELD(HostDrained, reason, "why it is not empty", "REASON"),
    FIELD(HostDrained, planned, "true: a dry run, nothing was touched", {}, kOmitted),
    FIELD(HostDrained, elapsed_ms, "how long it took", "TIME"),
};

constexpr const Kind* kDone[] = {&HostStatus::kKind, &HostDrained::kKind, &ClusterHealing::kKind};

}  // namespace

const Kind HostStatus::kKind{"host_status",
                             Role::kFact,
                             "The one state that every program believes of a host.",
                             "rackline hosts, heartbeat maintenance",
                             "people",
                             kHostStatusFields};
const Kind ClusterHealing::kKind{"cluster_healing",
                                 Role::kFact,
                                 "Whether the cluster heals itself.",
                                 "failover disarm, failover arm, failover list, rackline hosts",
                                 "people",
                                 kClusterHealingFields};
const Kind HostDrained::kKind{"host_drained",   Role::kResult, "What became of emptying a host.",
                              "rackline drain", "people",      kHostDrainedFields};

const Subject kClusterKinds{.done = kDone};

}  // namespace rackline::record
