// SPDX-License-Identifier: Apache-2.0
#include "migrate/by_hand.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/id.h"
#include "base/joined.h"
#include "wait/pending.h"

namespace rackline::migrate {
namespace {

struct Seen {
  std::map<std::string, VmFacts> active, defined;  // by host
  std::vector<std::string> silent;                 // "h3: why"
};

Seen look_everywhere(const std::string& vm, const std::map<std::string, MigrationHost>& hosts,
                     const HypervisorFactory& open, Milliseconds timeout) {
  const auto wakeup = std::make_shared<wait::Wakeup>();
  std::map<std::string, wait::Pending<VmFacts>> asked;
  for (const auto& [name, host] : hosts) {
    asked.emplace(name, wait::Pending<VmFacts>(wakeup, [hypervisor = open(host), vm] {
                    return hypervisor->look(vm, std::nullopt);
                  }));
  }
  wakeup->wait_for(timeout, [&] {
    return std::all_of(asked.begin(), asked.end(), [](const auto& each) { return each.second.ready(); });
  });
  Seen seen;
  for (auto& [name, answer] : asked) {
    if (!answer.ready()) {
      seen.silent.push_back(name + ": no answer");
      continue;
    }
    try {
      const VmFacts facts = answer.get();
      if (facts.present()) (facts.domain_id ? seen.active : seen.defined)[name] = facts;
    } catch (const Error& error) {
      seen.silent.push_back(name + ": " + error.why());
    }
  }
  return seen;
}

std::string names_of(const std::map<std::string, VmFacts>& places) {
  std::vector<std::string> names;
  for (const auto& [host, facts] : places) names.push_back(host);
  return joined(names, " and ");
}

}  // namespace

Move move_by_hand(const std::string& vm, const std::string& to,
                  const std::map<std::string, MigrationHost>& hosts, const HypervisorFactory& open,
                  Milliseconds timeout) {
  constexpr const char* kAttempted = "move by hand";
  if (!to.empty() && !hosts.contains(to))
    throw Error(Status::kUsage, kAttempted, to, "no such host in the inventory");
  const Seen seen = look_everywhere(vm, hosts, open, timeout);
  if (seen.active.size() > 1)
    throw Error(Status::kRefused, kAttempted, vm, "it is active on " + names_of(seen.active));
  // Of what is only defined the copy that counts is known where all hosts answer, and there is one.
  const bool stopped = seen.active.empty();
  if (stopped && !seen.silent.empty())
    throw Error(Status::kUnreachable, kAttempted, vm,
                "it is not seen to run, and not all hosts answer: " + joined(seen.silent, "; "));
  if (stopped && seen.defined.size() > 1)
    throw Error(Status::kRefused, kAttempted, vm, "it is stopped, and defined on " + names_of(seen.defined));
  if (stopped && seen.defined.empty()) throw Error(Status::kNo, kAttempted, vm, "no host has it");
  const auto& [from, facts] = stopped ? *seen.defined.begin() : *seen.active.begin();
  Move move;
  move.id = random_id();
  move.vm = vm;
  move.from = from;
  move.to = to;
  move.uuid = facts.uuid;
  move.domain_id = facts.domain_id;
  if (facts.memory_bytes > 0) move.memory_bytes = facts.memory_bytes;
  return move;
}

}  // namespace rackline::migrate
