// SPDX-License-Identifier: Apache-2.0
#include "fence/identity.h"

#include <algorithm>
#include <future>

#include "base/error.h"
#include "bmc/agent_kind.h"
#include "bmc/switch.h"
#include "store/document.h"

namespace rackline::fence {
namespace {

using store::Json;

constexpr const char* kPrefix = "identity/";

Error broken(const store::Entry& entry) {
  return {Status::kUnreachable, "read the identity", entry.key, "it is not an answer of ours",
          "fence verify asks again"};
}

std::string text(const Json& document, const char* name, const store::Entry& entry) {
  const auto found = document.find(name);
  if (found == document.end() || !found->is_string()) throw broken(entry);
  return found->get<std::string>();
}

std::vector<IdentityFinding> findings_of(const store::Entry& entry) {
  const Json document = Json::parse(entry.value, nullptr, false);
  if (!document.is_object()) throw broken(entry);
  const auto switches = document.find("switches");
  if (switches == document.end() || !switches->is_array()) throw broken(entry);
  std::vector<IdentityFinding> findings;
  for (const auto& each : *switches) {
    if (!each.is_object()) throw broken(entry);
    auto& finding = findings.emplace_back();
    finding.host = store::from_key_part(entry.key.substr(std::string_view(kPrefix).size()));
    finding.method = text(each, "method", entry);
    finding.place = text(each, "place", entry);
    const std::string identity = text(each, "identity", entry);
    if (identity != "confirmed" && identity != "mismatch" && identity != "unknown") throw broken(entry);
    finding.identity = identity == "confirmed"  ? SwitchIdentity::kConfirmed
                       : identity == "mismatch" ? SwitchIdentity::kMismatch
                                                : SwitchIdentity::kUnknown;
    finding.bmc_uuid = bmc::parse_uuid(text(each, "bmc_uuid", entry));
    finding.host_uuid = bmc::parse_uuid(text(each, "host_uuid", entry));
    finding.reason = text(each, "reason", entry);
  }
  return findings;
}

bool says(const std::optional<bmc::Uuid>& one, const std::optional<bmc::Uuid>& other) {
  return one && other && bmc::same_system(*one, *other);
}

void judge(IdentityFinding& finding, const IdentityFinding& other) {
  if (other.host == finding.host) return;
  if (says(finding.host_uuid, other.host_uuid)) {
    finding.identity = SwitchIdentity::kMismatch;
    finding.reason = "hosts " + finding.host + " and " + other.host + " have the same UUID " +
                     bmc::to_text(*finding.host_uuid) + ": it tells neither from the other";
  } else if (says(finding.bmc_uuid, other.bmc_uuid) &&
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
  return identity == SwitchIdentity::kConfirmed  ? "confirmed"
         : identity == SwitchIdentity::kMismatch ? "mismatch"
                                                 : "unknown";
}

std::vector<IdentityFinding> kept_identities(store::Store& store, const std::string& host) {
  const auto entry = store.get(kPrefix + store::key_part(host));
  if (!entry) return {};
  return findings_of(*entry);
}

void keep_identities(store::Store& store, const std::vector<IdentityFinding>& findings,
                     std::chrono::sys_seconds now) {
  std::map<std::string, Json> documents;
  for (const auto& finding : findings) {
    // What a controller says of itself is kept although its host said nothing: that of another host may say
    // the same one day.
    if (finding.identity == SwitchIdentity::kUnknown && !finding.bmc_uuid) continue;
    auto& document = documents[finding.host];
    if (document.is_null()) document = {{"time", format_time(now)}, {"switches", Json::array()}};
    const auto uuid = [](const auto& value) { return value ? bmc::to_text(*value) : std::string(); };
    document["switches"].push_back({{"method", finding.method},
                                    {"place", finding.place},
                                    {"identity", name_of(finding.identity)},
                                    {"bmc_uuid", uuid(finding.bmc_uuid)},
                                    {"host_uuid", uuid(finding.host_uuid)},
                                    {"reason", finding.reason}});
  }
  for (auto& [host, document] : documents) {
    const auto key = kPrefix + store::key_part(host);
    const Json fresh = document;
    store.update("identity", [&, &host = host](store::View& view) -> std::optional<store::Transaction> {
      Json whole = fresh;
      // What is known of this host's other switches stays, and so does a verdict on a controller that says
      // the same as before while its host says nothing.
      const auto entry = view.get(key);
      const Json before = entry ? Json::parse(entry->value, nullptr, false) : Json();
      if (before.is_object() && before.contains("switches") && before["switches"].is_array()) {
        for (const auto& each : before["switches"]) {
          if (!each.is_object()) continue;
          const auto same = std::find_if(
              whole["switches"].begin(), whole["switches"].end(),
              [&](const auto& one) { return each.contains("place") && each["place"] == one["place"]; });
          if (same == whole["switches"].end()) {
            whole["switches"].push_back(each);
          } else if ((*same)["identity"] == "unknown" && each.value("bmc_uuid", "") == (*same)["bmc_uuid"]) {
            *same = each;
          }
        }
      }
      return store::Transaction{{}, {{key, store::dump(whole)}}, {}};
    });
  }
}

std::vector<IdentityFinding> judge_identities(std::vector<IdentityFinding>& findings,
                                              const std::vector<IdentityFinding>& known) {
  for (auto& finding : findings) {
    if (!finding.host_uuid) judge_by_memory(finding, known);
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
    if (judged.identity != other.identity) contradicted.push_back(std::move(judged));
  }
  return contradicted;
}

bmc::AgentReply IdentityGuard::call(const bmc::FenceMethod& method, bmc::PowerAction action,
                                    Milliseconds timeout) {
  bmc::AgentReply reply;
  try {
    const auto identity = of(method);
    if (identity == SwitchIdentity::kMismatch) {
      reply.why = "fence verify found that it switches another system than " + method.host +
                  ": mend the inventory and verify again";
      return reply;
    }
    if (required_ && identity != SwitchIdentity::kConfirmed) {
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
