// SPDX-License-Identifier: Apache-2.0
#include "record/kinds_fence.h"

#include "record/describe.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

constexpr Field kFenceMethodFields[] = {
    HEAD(FenceMethod),
    FIELD(FenceMethod, host, "the host that it switches off", "HOST"),
    FIELD(FenceMethod, level,
          "methods are tried from level 1 upwards, each level after the one before failed", "LEVEL"),
    FIELD(FenceMethod, agent,
          "program of ClusterLabs fence-agents (fence_ipmilan); self: wait for the time in which a cut-off "
          "host has "
          "stopped its own virtual servers",
          "AGENT"),
    FIELD(FenceMethod, options, "lines for the agent's stdin: ip=10.0.0.11, lanplus=1; never a password", {},
          kOmitted),
    FIELD(FenceMethod, password_file, "file that holds the password and that nobody else may read", {},
          kOmitted),
    FIELD(FenceMethod, attempts, "times that it is tried; null: 2", {}, kOmitted),
    FIELD(FenceMethod, timeout_ms, "longest that one call of the agent may take; null: 20000", {}, kOmitted),
    FIELD(FenceMethod, delay_ms, "wait before the first attempt; null: 0", {}, kOmitted),
};

constexpr Field kHostFencedFields[] = {
    HEAD(HostFenced),
    FIELD(HostFenced, id, "name of this fencing: virtual servers are restarted because of it"),
    FIELD(HostFenced, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(HostFenced, host, "host that can no longer touch its virtual servers' disks", "HOST"),
    FIELD(HostFenced, method, "the fence agent; self; manual: a person has pulled the plug", "METHOD"),
    FIELD(HostFenced, level, "level of the method that did it", "LEVEL"),
    FIELD(HostFenced, power_before, "on or off, as read", "BEFORE"),
    FIELD(HostFenced, power_after, "on or off, as read back", "AFTER"),
    FIELD(HostFenced, verified, "true: the state was read back, or a person vouches for it", "VERIFIED"),
    FIELD(HostFenced, evidence, "what proves it, for a person", "EVIDENCE"),
    FIELD(HostFenced, identity,
          "confirmed: fence verify found that the switch is the host's own; unknown: nobody could compare; "
          "null: no "
          "switch was asked",
          {}, kOmitted),
    FIELD(HostFenced, already, "true: an earlier run had done it", {}, kOmitted),
    FIELD(HostFenced, planned, "true: a dry run, nothing was touched", "PLANNED", kSeldom),
    FIELD(HostFenced, attempts, "calls of agents that were to switch it off"),
    FIELD(HostFenced, elapsed_ms, "from reading the request to the proof", "TIME"),
};

constexpr Field kHostNotFencedFields[] = {
    HEAD(HostNotFenced),
    FIELD(HostNotFenced, id, "name of the attempt"),
    FIELD(HostNotFenced, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(HostNotFenced, host, "host that may still be running", "HOST"),
    FIELD(HostNotFenced, outcome,
          "failed: a person is needed, unless retry_ms says that it is tried again; refused: a rule forbids "
          "it; left: the policy says so; withdrawn: it showed life after the record that asked for it",
          "OUTCOME"),
    FIELD(HostNotFenced, power_after, "on or off, as last read, where it could be read", "POWER"),
    FIELD(HostNotFenced, reason, "why, method by method", "REASON"),
    FIELD(HostNotFenced, planned, "true: a dry run, nothing was touched", "PLANNED", kSeldom),
    FIELD(HostNotFenced, attempts, "calls of agents that were to switch it off"),
    FIELD(HostNotFenced, retry_ms, "how long until it is tried again; null: it is not", {}, kOmitted),
    FIELD(HostNotFenced, elapsed_ms, "from reading the request to giving up", "TIME"),
};

constexpr Field kHostUnfencedFields[] = {
    HEAD(HostUnfenced),
    FIELD(HostUnfenced, id, "the fencing that this ends"),
    FIELD(HostUnfenced, cause, "the incident that it belongs to", {}, kOmitted),
    FIELD(HostUnfenced, host, "name of the host", "HOST"),
    FIELD(HostUnfenced, outcome,
          "done: it is on, and takes no virtual servers before failover clear; planned: a dry run; already; "
          "failed; refused",
          "OUTCOME"),
    FIELD(HostUnfenced, method, "the fence agent that did it", "METHOD"),
    FIELD(HostUnfenced, power_after, "on or off, as read back", "POWER"),
    FIELD(HostUnfenced, reason, "why it is not done", "REASON"),
    FIELD(HostUnfenced, planned, "true: a dry run, nothing was touched", {}, kOmitted),
    FIELD(HostUnfenced, elapsed_ms, "how long it took", "TIME"),
};

constexpr Field kHostPowerFields[] = {
    HEAD(HostPower),
    FIELD(HostPower, host, "name of the host", "HOST"),
    FIELD(HostPower, power, "on or off; null: it cannot be read", "POWER"),
    FIELD(HostPower, mark,
          "fenced: it is off and its virtual servers may run elsewhere; returning: it was switched on again "
          "and "
          "is not cleared yet; null: neither",
          "MARK"),
    FIELD(HostPower, fence, "id of the fencing that the mark is of"),
    FIELD(HostPower, method, "the fence agent that was asked", "METHOD"),
    FIELD(HostPower, reason, "why the power cannot be read", "REASON"),
    FIELD(HostPower, elapsed_ms, "how long reading it took"),
};

constexpr Field kHostIdentityFields[] = {
    HEAD(HostIdentity),
    FIELD(HostIdentity, host, "name of the host", "HOST"),
    FIELD(HostIdentity, method, "the switch that was asked; null: none of its switches can tell", "METHOD"),
    FIELD(HostIdentity, identity,
          "confirmed: it switches this host; mismatch: it switches another one, and fence does not use it; "
          "unknown",
          "IDENTITY"),
    FIELD(HostIdentity, bmc_uuid, "UUID of the system that the controller switches", "BMC UUID"),
    FIELD(HostIdentity, host_uuid, "UUID of the host's system, from its libvirtd", "HOST UUID"),
    FIELD(HostIdentity, reason, "why it is not confirmed", "REASON"),
    FIELD(HostIdentity, elapsed_ms, "how long asking took"),
};

constexpr const Kind* kWritten[] = {&FenceMethod::kKind};
constexpr const Kind* kDone[] = {&HostFenced::kKind, &HostNotFenced::kKind, &HostUnfenced::kKind,
                                 &HostPower::kKind, &HostIdentity::kKind};

}  // namespace

const Kind FenceMethod::kKind{
    "fence_method", Role::kConfiguration, "How a host is switched off: a line of the inventory.", "people",
    "fence",        kFenceMethodFields};
const Kind HostFenced::kKind{"host_fenced",
                             Role::kResult,
                             "The host is proven to be off: its virtual servers may be started elsewhere.",
                             "fence",
                             "failover",
                             kHostFencedFields};
const Kind HostNotFenced::kKind{
    "host_not_fenced", Role::kResult, "The host is not proven to be off: nothing may be started.",
    "fence",           "people",      kHostNotFencedFields};
const Kind HostUnfenced::kKind{
    "host_unfenced", Role::kResult, "What became of switching a fenced host on again.",
    "fence unfence", "people",      kHostUnfencedFields};
const Kind HostPower::kKind{"host_power",   Role::kFact, "Whether a host is on, as its power can be read.",
                            "fence status", "people",    kHostPowerFields};
const Kind HostIdentity::kKind{
    "host_identity", Role::kFact, "Whether a controller switches the host that it is said to switch.",
    "fence verify",  "people",    kHostIdentityFields};

const Subject kFenceKinds{.written = kWritten, .done = kDone};

}  // namespace rackline::record
