// SPDX-License-Identifier: Apache-2.0
#include "migrate/away.h"

#include "base/error.h"
#include "base/interrupt.h"
#include "capacity/feed.h"
#include "capacity/planner.h"
#include "cluster/annotate.h"
#include "virt/survey.h"

namespace rackline::migrate {
namespace {

// As capwatch has it: rates are differences between two samples.
constexpr Milliseconds kWindow{1000};

void read_rules(cli::Program& program, const std::string& file, capacity::Planner& planner) {
  capacity::Feed feed(planner);
  const auto reader = program.file_reader(file, record::Policy::kRefuse);
  while (reader->next()) {
    if (reader->is<record::PlacementRule>()) feed.take_rule(*reader);
  }
}

}  // namespace

std::string host_elsewhere(cli::Program& program, const std::vector<record::Host>& inventory,
                           const Move& move, const std::string& rules, bool unbound) {
  constexpr const char* kAttempted = "choose a host";
  capacity::Planner planner{capacity::Policy{}};
  if (!rules.empty()) read_rules(program, rules, planner);
  const record::Time now = program.clock().wall();
  cluster::Observed states(program.store_url());
  if (const auto why = states.read(now); !why.empty()) program.warn(why + "; no host is taken to serve");
  capacity::Round& round = planner.round();
  virt::Survey survey(inventory,
                      {.timeout = program.timeout(), .suspect_timeout = program.timeout(), .window = kWindow},
                      inventory);
  const bool complete = survey.round([&](virt::Survey::Seen seen) {
    states.annotate(seen.host);
    seen.host.time = now;
    round.host_slot() = std::move(seen.host);
    round.keep_host();
    for (auto& vm : seen.vms) {
      vm.time = now;
      if (unbound && vm.vm == move.vm) vm.bound_by.reset();
      round.vm_slot() = std::move(vm);
      round.keep_vm();
    }
  });
  if (!complete) throw Error(Status::kRefused, kAttempted, move.vm, "interrupted");
  planner.close(now);
  const capacity::Plan plan = planner.away(move.vm, move.from);
  for (const auto& text : plan.left_out) program.note(text);
  if (!plan.unplaced.empty())
    throw Error(Status::kRefused, kAttempted, move.vm, plan.unplaced.front().reason);
  const record::VmPlace& place = plan.places.front();
  program.note(move.vm + " goes to " + place.host + ": " + place.reason);
  return place.host;
}

}  // namespace rackline::migrate
