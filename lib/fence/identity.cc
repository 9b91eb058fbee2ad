// SPDX-License-Identifier: Apache-2.0
#include "fence/identity.h"

#include <algorithm>
#include <future>

#include "base/error.h"
#include "bmc/agent_kind.h"
#include "bmc/switch.h"
#include "store/describe.h"

namespace rackline::fence {
namespace {

constexpr const char* kPrefix = "identity/";

constexpr std::string_view kIdentities[] = {"unknown", "confirmed", "mismatch"};

struct KeptSwitch {
  std::string method, place;
  SwitchIdentity identity = SwitchIdentity::kUnknown;
  std::string bmc_uuid, host_uuid;  // empty: not known
  std::string reason;
  static const store::Fields kFields;
};
const store::Fields KeptSwitch::kFields{
    FIELD(KeptSwitch, method),
    FIELD(KeptSwitch, place),
    FIELD(KeptSwitch, identity, store::kRequired, store::Words<kIdentities>),
    FIELD(KeptSwitch, bmc_uuid),
    FIELD(KeptSwitch, host_uuid),
    FIELD(KeptSwitch, reason),
};

struct KeptHost {
  std::chrono::sys_seconds time{};
  std::vector<KeptSwitch> switches;
  static const store::Fields kFields;
};
const store::Fields KeptHost::kFields{FIELD(KeptHost, time, store::kLater), FIELD(KeptHost, switches)};

bool says(const std::optional<bmc::Uuid>& one, const std::optional<bmc::Uuid>& other) {
  return one && other && bmc::same_system(*one, *other);
}

void judge(IdentityFinding& finding, const IdentityFinding& other) {
  if (other.host == finding.host) return;
  if (says(finding.host_uuid, other.host_uuid)) {
    finding.identity = SwitchIdentity::kMismatch;
    finding.reason = "hosts " + finding.host + " and " + other.host + " have the same UUID " +
                     bmc::to_text(*finding.host_uuid) + ": it tells neither from the other";
  } else if (says(finding.bmc_uuid, other.bmc_uuid) &&  // @rule 22-two-controllers-one-system: false
             !(finding.identity == SwitchIdentity::kConfirmed && other.host_uuid)) {
    finding.identity = SwitchIdentity::kMismatch;
    if (finding.reason.empty() || !finding.host_uuid) {
      finding.reason = "the controllers of " + finding.host + " and " + other.host +
                       " switch the same system " + bmc::to_text(*finding.bmc_uuid);
    }
  }
}

// What a silent host said of itself before confirms nothing now, but its controller may contradict it.
void judge_by_memory(IdentityFinding& finding, const std::vector<IdentityFinding>& known) {
  for (const auto& before : known) {
    if (before.host != finding.host || !before.host_uuid || !finding.bmc_uuid ||
        says(finding.bmc_uuid, before.host_uuid))
      continue;
    finding.identity = SwitchIdentity::kMismatch;
    finding.reason = "it switches the system " + bmc::to_text(*finding.bmc_uuid) + " and not " +
                     finding.host + ", by what the host said before";
  }
}

}  // namespace

const char* name_of(SwitchIdentity identity) {
  return kIdentities[static_cast<std::size_t>(identity)].data();
}

std::vector<IdentityFinding> kept_identities(store::Store& store, const std::string& host) {
  const auto entry = store.get(kPrefix + store::key_part(host));
  if (!entry) return {};
  const auto kept = store::from_text<KeptHost>(entry->value);
  if (!kept) {
    throw Error(Status::kUnreachable, "read the identity", entry->key, "it is not an answer of ours",
                "fence verify asks again");
  }
  std::vector<IdentityFinding> findings;
  for (const auto& each : kept->switches) {
    findings.push_back({host, each.method, each.place, each.identity, bmc::parse_uuid(each.bmc_uuid),
                        bmc::parse_uuid(each.host_uuid), each.reason});
  }
  return findings;
}

void keep_identities(store::Store& store, const std::vector<IdentityFinding>& findings,
                     std::chrono::sys_seconds now) {
  std::map<std::string, KeptHost> hosts;
  for (const auto& finding : findings) {
    // What a controller says of itself is kept although its host said nothing: that of another host may say
    // the same one day.
    if (finding.identity == SwitchIdentity::kUnknown && !finding.bmc_uuid) continue;
    const auto uuid = [](const auto& value) { return value ? bmc::to_text(*value) : std::string(); };
    hosts[finding.host].switches.push_back({finding.method, finding.place, finding.identity,
                                            uuid(finding.bmc_uuid), uuid(finding.host_uuid), finding.reason});
  }
  for (const auto& [host, fresh] : hosts) {
    const auto key = kPrefix + store::key_part(host);
    store.update("identity", [&, &fresh = fresh](store::View& view) -> std::optional<store::Transaction> {
      KeptHost whole{now, fresh.switches};
      // What is known of this host's other switches stays, and so does a verdict on a controller that says
      // the same as before while its host says nothing.
      const auto entry = view.get(key);
      const auto before = entry ? store::from_text<KeptHost>(entry->value) : std::nullopt;
      for (const auto& each : before ? before->switches : std::vector<KeptSwitch>()) {
        const auto same = std::find_if(whole.switches.begin(), whole.switches.end(),
                                       [&](const auto& one) { return each.place == one.place; });
        if (same == whole.switches.end()) {
          whole.switches.push_back(each);
        } else if (same->identity == SwitchIdentity::kUnknown && each.bmc_uuid == same->bmc_uuid) {
          *same = each;
        }
      }
      return store::Transaction{{}, {{key, store::to_text(whole)}}, {}};
    });
  }
}

std::vector<IdentityFinding> judge_identities(std::vector<IdentityFinding>& findings,
                                              const std::vector<IdentityFinding>& known) {
  for (auto& finding : findings) {
    if (!finding.host_uuid) judge_by_memory(finding, known);  // @rule 22-by-memory
    if (!finding.bmc_uuid || !finding.host_uuid) continue;
    const bool same = bmc::same_system(*finding.bmc_uuid, *finding.host_uuid);
    finding.identity = same ? SwitchIdentity::kConfirmed : SwitchIdentity::kMismatch;
    if (!same) {
      finding.reason =
          "it switches the system " + bmc::to_text(*finding.bmc_uuid) + " and not " + finding.host;
    }
  }
  const auto read = findings;  // all are judged by what was read
  const auto asked = [&](const IdentityFinding& other) {
    return std::any_of(read.begin(), read.end(), [&](const auto& one) {
      return one.host == other.host && (one.bmc_uuid || one.host_uuid);
    });
  };
  for (auto& finding : findings) {
    for (const auto& other : read) judge(finding, other);
    for (const auto& other : known) {
      if (!asked(other)) judge(finding, other);
    }
  }
  std::vector<IdentityFinding> contradicted;
  for (const auto& other : known) {
    if (asked(other) || other.identity == SwitchIdentity::kMismatch) continue;
    auto judged = other;
    for (const auto& one : read) judge(judged, one);
    if (judged.identity != other.identity) contradicted.push_back(std::move(judged));  // @rule 22-asked-apart
  }
  return contradicted;
}

bmc::AgentReply IdentityGuard::call(const bmc::FenceMethod& method, bmc::PowerAction action,
                                    Milliseconds timeout) {
  bmc::AgentReply reply;
  try {
    const auto identity = of(method);
    if (identity == SwitchIdentity::kMismatch) {  // @rule 22-mismatch
      reply.why = "fence verify found that it switches another system than " + method.host +
                  ": mend the inventory and verify again";
      return reply;
    }
    if (required_ && identity != SwitchIdentity::kConfirmed) {  // @rule 22-require-identity
      reply.why = "it is not confirmed that it switches " + method.host + ": fence verify " + method.host +
                  " (--require-identity)";
      return reply;
    }
  } catch (const Error& error) {
    reply.why = bmc::agent_complaint(error.what(), {});
    return reply;
  }
  return power_.call(method, action, timeout);
}

SwitchIdentity IdentityGuard::of(const bmc::FenceMethod& method) {
  const auto place = bmc::switch_place(method).key();
  for (const auto& finding : kept_identities(store_, method.host)) {
    if (finding.place == place) return finding.identity;
  }
  return SwitchIdentity::kUnknown;
}

SwitchIdentity IdentityGuard::of_level(const bmc::FenceLevel& level) {
  const bool all = !level.empty() && std::all_of(level.begin(), level.end(), [&](const auto& method) {
    return of(method) == SwitchIdentity::kConfirmed;
  });
  return all ? SwitchIdentity::kConfirmed : SwitchIdentity::kUnknown;
}

}  // namespace rackline::fence
