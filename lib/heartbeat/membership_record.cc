// SPDX-License-Identifier: Apache-2.0
// What is known of a host, as others read it.
#include <algorithm>

#include "base/id.h"
#include "heartbeat/membership.h"

namespace rackline::heartbeat {
namespace {

const char* word_of(HostVerdict verdict) {
  switch (verdict) {
    case HostVerdict::kUp:
      return "alive";
    case HostVerdict::kDown:
      return "dead";
    case HostVerdict::kIsolated:
      return "isolated";
    case HostVerdict::kPartitioned:
      return "partitioned";
    case HostVerdict::kHypervisorDown:
      return "hypervisor_dead";
    case HostVerdict::kMaintenance:
      return "maintenance";
    case HostVerdict::kFenceContradicted:
      return "fence_contradicted";
    case HostVerdict::kUnknown:
      return "unknown";
    default:
      return "suspect";
  }
}

const char* word_of(LibvirtAnswer answer) {
  switch (answer) {
    case LibvirtAnswer::kAnswers:
      return "answers";
    case LibvirtAnswer::kRefused:
      return "refused";
    case LibvirtAnswer::kTimeout:
      return "timeout";
    default:
      return "not_asked";
  }
}

}  // namespace

std::optional<std::string> Membership::contradicted_fence(const Host& host) {
  if (host.verdict != HostVerdict::kFenceContradicted || !host.off) return std::nullopt;
  return host.off->fence();
}

std::vector<HostHealth> Membership::health(Milliseconds now) const {
  std::vector<HostHealth> hosts;
  if (!begun_) return hosts;
  for (const Host& host : hosts_) {
    const bool well = host.verdict == HostVerdict::kUp || host.verdict == HostVerdict::kMaintenance;
    hosts.push_back({host.name, word_of(host.verdict), host.reason, well, alive(host, now),
                     contradicted_fence(host).value_or("")});
  }
  return hosts;
}

record::HostState Membership::record_of(const Host& host, Milliseconds now) const {
  record::HostState record;
  record.id = random_id();
  if (!host.incident.empty()) record.cause = host.incident;
  record.host = host.name;
  record.verdict = word_of(host.verdict);
  if (!host.reason.empty()) record.reason = host.reason;
  record.net = !host.net.ever() ? "never" : net_alive(host, now) ? "alive" : "silent";
  static constexpr const char* kStores[] = {"none", "unknown", "never", "silent", "alive"};
  record.store = kStores[static_cast<std::size_t>(store_of(host, now))];
  record.libvirt = word_of(agentless(host) || net_alive(host, now)
                               ? host.libvirt
                               : libvirt_now(host, now).value_or(LibvirtAnswer::kNotAsked));
  const auto count = [&](Milliseconds since) { return std::max<std::int64_t>((now - since).count(), 0); };
  if (host.net.ever()) record.net_silent_ms = host.net.silence(now).count();
  if (policy_.storage && host.slot_known) record.store_silent_ms = count(host.slot_changed);
  record.silent_ms = record.net_silent_ms;
  if (record.store_silent_ms && (!record.silent_ms || *record.store_silent_ms < *record.silent_ms))
    record.silent_ms = record.store_silent_ms;
  if (host.libvirt_lived)
    record.silent_ms =
        std::min(record.silent_ms.value_or(count(*host.libvirt_lived)), count(*host.libvirt_lived));
  if (host.peers_asked_at) {
    record.peers_asked = host.peers_told;
    record.peers_reached = host.peers_reached;
  }
  if (policy_.detector.kind == DetectorPolicy::Kind::kPhi && host.net.ever())
    record.phi = host.net.phi(now, patient_);
  if (host.net.ever()) {
    if (host.beat.self_fence_ms > 0) record.self_fence_ms = host.beat.self_fence_ms;
    record.watchdog = host.beat.watchdog;
    record.incarnation = hex(host.beat.incarnation);
  }
  if (host.key_id != 0) record.key_id = key_id_text(host.key_id);
  record.fence = contradicted_fence(host);
  if (silent_ > 0) {
    record.hosts_silent = silent_;
    record.hosts_watched = watched_;
  }
  if (late_ > Milliseconds{0}) record.watcher_late_ms = late_.count();
  return record;
}

}  // namespace rackline::heartbeat
