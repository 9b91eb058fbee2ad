// SPDX-License-Identifier: Apache-2.0
#include "fence/rules.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/units.h"

namespace rackline::fence {
namespace {

using Kind = FenceRequest::Kind;
using Verdict = FenceRuling::Verdict;

const char* verdict_of(Kind kind) {
  switch (kind) {
    case Kind::kDown:
      return "dead";
    case Kind::kIsolated:
      return "isolated";
    case Kind::kPartitioned:
      return "partitioned";
    case Kind::kHypervisorDown:
      return "hypervisor_dead";
  }
  return "";
}

const char* option_of(Kind kind) {
  switch (kind) {
    case Kind::kIsolated:
      return "--isolated";
    case Kind::kPartitioned:
      return "--partitioned";
    default:
      return "--hypervisor-down";
  }
}

bool wanted(Kind kind, const FencePolicy& policy) {
  switch (kind) {
    case Kind::kDown:
      return true;
    case Kind::kIsolated:
      return policy.fence_isolated;  // @rule 01-only-the-dead: true
    case Kind::kPartitioned:
      return policy.fence_partitioned;
    case Kind::kHypervisorDown:
      return policy.fence_hypervisor_down;
  }
  return false;
}

template <std::size_t N>
bool knows(const std::array<std::string_view, N>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// A word that is not heartbeat's, also one in capitals, may mean anything.
std::string unknown_word(const record::HostState& state) {
  constexpr std::array<std::string_view, 3> kNet{"alive", "silent", "never"};
  constexpr std::array<std::string_view, 5> kStore{"alive", "silent", "never", "unknown", "none"};
  constexpr std::array<std::string_view, 4> kLibvirt{"answers", "refused", "timeout", "not_asked"};
  if (!knows(kNet, state.net)) return "net " + state.net;
  if (!knows(kStore, state.store)) return "store " + state.store;
  if (!knows(kLibvirt, state.libvirt)) return "libvirt " + state.libvirt;
  return {};
}

// What the record says of the host's channels that heartbeat does not say with such a verdict. A
// hypervisor_down has channels that live by its nature, its libvirtd may answer in vain; others may reach one
// that is partitioned. A living storage is the veto's business.
std::string living_channel(Kind kind, const record::HostState& state) {
  if (kind == Kind::kHypervisorDown) return {};
  if (state.net == "alive") return "its heartbeats arrive";
  if (kind == Kind::kPartitioned) return {};
  if (state.libvirt == "answers") return "its libvirtd answers";
  if (kind == Kind::kDown && state.libvirt == "refused") return "its kernel answers";
  if (state.peers_reached.value_or(0) > 0)
    return std::to_string(*state.peers_reached) + " other hosts reach it";
  return {};
}

// heartbeat has no dry run. A record that was made for a trial says so as those of other programs do, and
// what is written there in another way is no permission.
template <class K>
bool read_as(record::Reader& reader, Kind kind, FenceRequest& request) {
  K state;
  if (!reader.read(state)) return false;
  request.kind = kind;
  request.state = std::move(static_cast<record::HostState&>(state));
  request.planned = reader.says("planned");
  return true;
}

}  // namespace

bool is_request(const record::Reader& reader) {
  return reader.is<record::HostDown>() || reader.is<record::HostIsolated>() ||
         reader.is<record::HostPartitioned>() || reader.is<record::HypervisorDown>();
}

std::optional<FenceRequest> read_request(record::Reader& reader, Milliseconds now) {
  FenceRequest request;
  request.read_at = now;
  const bool read = reader.is<record::HostDown>() ? read_as<record::HostDown>(reader, Kind::kDown, request)
                    : reader.is<record::HostIsolated>()
                        ? read_as<record::HostIsolated>(reader, Kind::kIsolated, request)
                    : reader.is<record::HostPartitioned>()
                        ? read_as<record::HostPartitioned>(reader, Kind::kPartitioned, request)
                    : reader.is<record::HypervisorDown>()
                        ? read_as<record::HypervisorDown>(reader, Kind::kHypervisorDown, request)
                        : false;
  return read ? std::optional(std::move(request)) : std::nullopt;
}

bool shows_life(Kind kind, const record::HostState& state) {
  return kind != Kind::kDown &&  // @rule 01-lives-again: false
         (state.net == "alive" || state.store == "alive" || state.libvirt == "answers" ||
          state.libvirt == "refused" || state.peers_reached.value_or(0) > 0);
}

std::optional<LifeSign> contradiction(record::Reader& reader) {
  record::FenceContradicted state;
  if (!reader.is<record::FenceContradicted>() || !reader.read(state)) return std::nullopt;
  return LifeSign{state.host, state.time, state.fence.value_or("")};
}

std::set<std::string> maybe_alive(std::string_view line, const std::set<std::string>& hosts) {
  if (line.find("\"host_down\"") != std::string_view::npos) return {};
  std::set<std::string> named;
  bool names = false;
  constexpr std::string_view kHost = "\"host\"";
  for (auto at = line.find(kHost); at != std::string_view::npos; at = line.find(kHost, at + 1)) {
    const auto value = line.find_first_not_of(" \t:", at + kHost.size());
    if (value == std::string_view::npos || line[value] != '"') continue;
    const auto end = line.find('"', value + 1);
    if (end == std::string_view::npos) continue;  // cut off
    names = true;
    const std::string host(line.substr(value + 1, end - value - 1));
    if (hosts.contains(host)) named.insert(host);  // @rule 21-broken-line
  }
  if (names) return named;
  const auto first = line.find_first_not_of(" \t");
  return first != std::string_view::npos && line[first] == '{' ? hosts : named;
}

std::optional<LifeSign> sign_of_life(record::Reader& reader) {
  record::HostUp up;
  record::HostMaintenance left;
  record::HostSuspect suspect;
  if (reader.is<record::HostUp>() && reader.read(up)) return LifeSign{up.host, up.time};
  // Its agent was stopped in order: then it was there, and nobody is any more who would fence it.
  if (reader.is<record::HostMaintenance>() && reader.read(left)) return LifeSign{left.host, left.time};
  const bool lives =
      reader.is<record::HostSuspect>() && reader.read(suspect) && shows_life(Kind::kHypervisorDown, suspect);
  return lives ? std::optional(LifeSign{suspect.host, suspect.time}) : std::nullopt;
}

FenceRuling rule_on(const FenceRequest& request, const FencePolicy& policy, std::chrono::sys_seconds now) {
  const auto& state = request.state;
  const char* expected = verdict_of(request.kind);
  if (state.verdict != expected) {  // @rule 01-verdict-of-its-kind
    return {Verdict::kRefuse,
            "the record contradicts itself: its verdict is " + state.verdict + " and not " + expected};
  }
  if (request.planned && !policy.dry_run)  // @rule 02-planned
    return {Verdict::kRefuse, "the record is of a dry run"};
  if (const auto word = unknown_word(state); !word.empty())  // @rule 02-unknown-word
    return {Verdict::kRefuse, "the record says what heartbeat does not say: " + word, true};
  if (const auto living = living_channel(request.kind, state); !living.empty()) {  // @rule 02-living-channel
    return {Verdict::kRefuse,
            std::string("the record contradicts itself: the host is ") + expected + ", and " + living, true};
  }
  if (!wanted(request.kind, policy)) {
    return {Verdict::kLeave, std::string("the policy leaves hosts that are ") + expected + " (" +
                                 option_of(request.kind) + " fence)"};
  }
  const auto age = std::chrono::duration_cast<Milliseconds>(now - state.time);
  if (age > policy.max_age) {  // @rule 01-old-request
    return {Verdict::kRefuse,
            "the record is " + format_duration(age) + " old: it may be up again (--max-age)"};
  }
  if (-age > policy.max_age) {
    return {Verdict::kRefuse,
            "the record is from the future: the clocks disagree by " + format_duration(-age)};
  }
  if (state.store == "alive" && !policy.fence_living_store) {  // @rule 02-storage-veto
    return {Verdict::kRefuse, "it still writes to the shared storage (--living-store)"};
  }
  if (state.hosts_silent && state.hosts_watched && *state.hosts_silent > 0 && *state.hosts_watched > 0 &&
      too_many(static_cast<std::size_t>(*state.hosts_silent),
               static_cast<std::size_t>(*state.hosts_watched)) &&
      !policy.force) {  // @rule 02-fence-believes-watcher: false
    return {Verdict::kRefuse,
            std::to_string(*state.hosts_silent) + " of " + std::to_string(*state.hosts_watched) +
                " hosts are silent: the watcher is rather the one that is cut off (--force)"};
  }
  return {};
}

std::string self_fence_objection(const FenceRequest& request, const FencePolicy& policy) {
  const auto& state = request.state;
  if (request.kind != Kind::kDown && request.kind != Kind::kIsolated)
    return "only a host that is cut off stops its virtual servers by itself";
  if (!state.self_fence_ms || *state.self_fence_ms <= 0) return "its agent does not fence itself";
  if (!state.watchdog.value_or(false) && !policy.trust_self_fence)
    return "no hardware watchdog sees to it that its agent works (--trust-self-fence)";
  // Its agent acts when it has lost both channels. Of a channel that we cannot see it may still have the use,
  // and one that has only one channel never acts, whoever trusts it.
  if (state.net == "alive" || state.store != "silent")  // @rule 03-channel-left
    return "it may still have a channel (net " + state.net + ", store " + state.store +
           ") and so not fence itself";
  // 80 %: clocks drift, and stopping takes its time.
  const Milliseconds self{*state.self_fence_ms};
  if (self * 5 >= policy.takeover * 4)  // @rule 03-takeover-time
    return "it fences itself after " + format_duration(self) + ", too close to the takeover time of " +
           format_duration(policy.takeover);
  return {};
}

Milliseconds self_fenced_at(const FenceRequest& request, const FencePolicy& policy) {
  const Milliseconds silent{std::max<std::int64_t>(0, request.state.silent_ms.value_or(0))};
  return request.read_at + policy.takeover - silent;
}

}  // namespace rackline::fence
