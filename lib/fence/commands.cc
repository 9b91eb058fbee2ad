// SPDX-License-Identifier: Apache-2.0
#include "fence/commands.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <set>
#include <thread>

#include "act/outcome.h"
#include "base/interrupt.h"
#include "base/person.h"
#include "cli/program.h"
#include "fence/identity.h"
#include "fence/manual.h"
#include "fence/records.h"
#include "store/etcd.h"
#include "store/patient.h"

namespace rackline::fence {
namespace {

using Outcome = FenceReport::Outcome;

// Where the store is another machine, a lock can be lost while a host is in hand. Nothing is written or told
// to a host then, so one that watches goes on, and takes the lock anew for the next try: who else would
// fence?
std::unique_ptr<store::Store> open_store(cli::Program& program, Milliseconds patience, bool outlives_lock) {
  const std::string url = program.store_url();
  if (!outlives_lock || !url.starts_with("etcd"))
    return store::open_patiently(url, program.clock(), patience);
  return store::open_etcd(url, {.on_lost = [&program](const std::string& lock) {
                            program.warn("the lock " + lock + " of the store was lost: it is taken anew");
                          }});
}

struct Session {
  Session(cli::Program& program, const Options& options, bool outlives_lock = false)
      : store(open_store(program, options.policy.lock_patience * 3, outlives_lock)),
        guard(agents, *store, options.require_identity),
        world{*store,
              guard,
              {program.clock(), [](Milliseconds time) { std::this_thread::sleep_for(time); }},
              interrupt::requested,
              bmc::fence_methods(program.inventory(), bmc::read_fence_methods(program.inventory_file()),
                                 options.bmc),
              [&program](const std::string& text) { program.warn(text); }} {}

  std::unique_ptr<store::Store> store;
  bmc::FenceAgents agents;
  IdentityGuard guard;
  FenceEngine::World world;
};

void report(cli::Program& program, Session& session, const FenceReport& report) {
  if (const auto call = call_for_person(report); !call.empty())
    report.needs_person ? program.call_person(call) : program.warn(call);
  if (report.outcome == Outcome::kFenced) {
    program.out().write(with_identity(fenced_record(report), session.guard, session.world.methods));
  } else {
    program.out().write(not_fenced_record(report));
  }
  program.out().flush();
}

// For whoever commands it at a terminal.
void note_mark(cli::Program& program, const FenceReport& result, const std::string& more) {
  if (result.outcome != Outcome::kFenced) return;
  program.note(result.host +
               (result.planned   ? " would be marked as fenced"
                : result.already ? " was marked as fenced already"
                                 : " is marked as fenced") +
               more);
}

// A line that could not be read, which has been told: it may have said that a host is up.
void doubt(cli::Program& program, std::string_view line, const Session& session, FenceEngine& engine) {
  std::set<std::string> hosts;
  for (const auto& [host, methods] : session.world.methods) hosts.insert(host);
  for (const auto& host : maybe_alive(line, hosts)) engine.alive(host, program.clock().wall());
}

void follow(cli::Program& program, record::Reader& reader, FenceEngine& engine) {
  while (reader.next()) {
    if (!is_request(reader)) {
      if (const auto sign = contradiction(reader)) {
        engine.contradicted(*sign);
        program.call_person(call_about_life(sign->host));
      }
      if (const auto sign = sign_of_life(reader)) engine.alive(sign->host, sign->time);
      program.out().pass(reader);
      continue;
    }
    // One that cannot be read is told and counted, and the next may be about another host.
    const auto request = read_request(reader, program.clock().monotonic());
    if (!request) continue;
    if (shows_life(request->kind, request->state)) engine.alive(request->host(), request->state.time);
    program.out().pass(reader);
    engine.request(*request);
  }
}

Status conclude(cli::Program& program, std::map<Outcome, int> outcomes, bool understood) {
  act::Tally tally;
  tally.add(act::Outcome::kDone, outcomes[Outcome::kFenced]);
  tally.add(act::Outcome::kFailed, outcomes[Outcome::kFailed]);
  tally.add(act::Outcome::kRefused, outcomes[Outcome::kRefused] + outcomes[Outcome::kBusy]);
  tally.tell(program.end(), program.dry_run());
  const Status status = tally.status();
  if (status == Status::kNo) return status;
  if (!understood) return Status::kUsage;
  return outcomes[Outcome::kBusy] > 0 ? Status::kBusy : status;
}

Status fence_what_is_told(cli::Program& program, const Options& options) {
  program.out().flow(true);
  std::unique_ptr<record::Reader> reader;
  FenceEngine* watching = nullptr;
  const Session* known = nullptr;
  if (!options.resume) {
    reader = program.stdin_reader(record::Policy::kSkip, [&] {
      if (watching != nullptr) doubt(program, reader->text(), *known, *watching);
    });
  }
  Session session(program, options, !options.resume);
  FenceEngine engine(options.policy, session.world, [&](const FenceReport& result) {
    report(program, session, result);
    if (options.resume) note_mark(program, result, "");
  });
  known = &session;
  watching = &engine;
  try {
    engine.settle();
  } catch (const Error& error) {
    if (options.resume || error.status() != Status::kBusy) throw;
    program.warn(error.what());
  }
  bool understood = true;
  if (reader) {
    follow(program, *reader, engine);
    understood = reader->skipped() == 0;
    if (!reader->complete() && !interrupt::requested()) {
      understood = false;
      program.warn("read records: stdin: no end record: the watcher died, nobody watches any more");
    }
  }
  engine.wait();
  if (options.resume && engine.outcomes().empty())
    program.note(program.dry_run() ? "a dry run settles nothing" : "nothing was left open");
  try {
    if (!options.policy.dry_run) FenceJournal(*session.store, program.clock()).prune();
  } catch (const Error&) {
    // Old entries are forgotten another time; what was asked for is done.
  }
  return conclude(program, engine.outcomes(), understood);
}

Status confirm(cli::Program& program, const Options& options) {
  program.leaves_threads_behind();  // a libvirtd may hang
  Session session(program, options);
  if (!session.world.methods.contains(options.confirm))
    throw Error(Status::kUsage, "confirm", options.confirm, "it is not in the inventory");
  if (isatty(STDIN_FILENO) == 1) {
    std::cerr << "If " << options.confirm
              << " is not off, its virtual servers will run twice and lose their data.\n"
              << "Type its name if you have made sure that it is off: " << std::flush;
  }
  std::string typed;
  std::getline(std::cin, typed);
  if (typed != options.confirm) {
    throw Error(Status::kRefused, "confirm", options.confirm, "the name read from stdin is another one",
                "echo " + options.confirm + " | fence --confirm-manual " + options.confirm + " | failover");
  }
  const auto hosts = program.inventory();
  const HostAnswer ask = [&](const std::string& name) {
    const auto host =
        std::find_if(hosts.begin(), hosts.end(), [&](const auto& one) { return one.host == name; });
    auto answer = host == hosts.end() ? "" : answer_of_libvirtd(*host, program.timeout());
    if (answer.empty()) answer = answer_of_heartbeat(*session.store, name, program.clock().wall());
    return answer;
  };
  const auto result = confirm_off(session.world, options.policy, options.confirm, this_person(), ask);
  report(program, session, result);
  // The pipeline that called does not hear of this.
  const bool unheard = !result.planned && isatty(STDOUT_FILENO) == 1;
  note_mark(program, result, unheard ? "; its virtual servers are restarted by: failover --resume" : "");
  return result.outcome == Outcome::kFenced ? Status::kDone : Status::kRefused;
}

Status unfence_hosts(cli::Program& program, const Options& options) {
  Session session(program, options);
  Status worst = Status::kDone;
  for (const auto& host : options.hosts) {
    if (interrupt::requested()) break;
    const auto result = unfence(session.world, options.policy, host);
    program.out().write(unfenced_record(result));
    if (result.outcome == act::Outcome::kFailed) worst = Status::kNo;
    if (result.outcome == act::Outcome::kRefused && worst == Status::kDone) worst = Status::kRefused;
    if (!result.reason.empty() && result.outcome != act::Outcome::kAlready)
      program.warn(host + ": " + result.reason);
    if (result.outcome == act::Outcome::kAlready && !result.reason.empty())
      program.note(host + ": " + result.reason + ": nothing was done");
    else if (result.planned && result.outcome == act::Outcome::kDone)
      program.note(host + " would be marked as returning and switched on");
    else if (result.outcome == act::Outcome::kDone || result.outcome == act::Outcome::kAlready)
      program.note(host + " is on and takes no virtual servers yet; when it is in order: failover clear " +
                   host);
  }
  return worst;
}

Status show(cli::Program& program, const Options& options) {
  Session session(program, options);
  std::vector<std::string> hosts = options.hosts;
  for (const auto& host : program.inventory()) {
    if (options.hosts.empty()) hosts.push_back(host.host);
  }
  Status status = Status::kDone;
  for (const auto& result : host_power(session.world, hosts, program.timeout())) {
    program.out().write(power_record(result));
    if (result.reading.power == bmc::Power::kUnknown) status = Status::kUnreachable;
  }
  return status;
}

Status verify(cli::Program& program, const Options& options) {
  program.leaves_threads_behind();  // a libvirtd may hang
  Session session(program, options);
  std::vector<record::Host> hosts;
  for (const auto& host : program.inventory()) {
    const auto asked = std::find(options.hosts.begin(), options.hosts.end(), host.host);
    if (options.hosts.empty() || asked != options.hosts.end()) hosts.push_back(host);
  }
  for (const auto& name : options.hosts) {
    if (!session.world.methods.contains(name))
      throw Error(Status::kUsage, "find the host", name, "it is not in the inventory",
                  "fence status lists them");
  }
  RealIdentities source;
  Status status = Status::kDone;
  for (const auto& finding : verify_identities(*session.store, source, hosts, session.world.methods,
                                               program.clock(), program.timeout(), !program.dry_run())) {
    program.out().write(identity_record(finding));
    if (!finding.reason.empty()) program.warn(finding.host + ": " + finding.reason);
    if (finding.identity == SwitchIdentity::kMismatch) status = Status::kNo;
    if (finding.identity == SwitchIdentity::kUnknown && status == Status::kDone)
      status = Status::kUnreachable;
  }
  return status;
}

}  // namespace

void declare_commands(cli::Program& program, Options& options) {
  auto& at = program.options();
  at.command_is_optional();
  const auto command = [&](const char* name, const char* about, auto verb, const char* hosts) {
    return at
        .command(name, about,
                 [&program, &options, verb] {
                   prepare(program, options);
                   return verb(program, options);
                 })
        .operands("HOST", options.hosts, hosts)
        .offers(cli::Values::kHosts);
  };
  command("unfence", "switch fenced hosts on again", unfence_hosts, "hosts").required();
  command("status", "the power and the fence mark of hosts", show, "hosts, all if none is given");
  command("verify", "whether each controller switches the host that it is said to", verify,
          "hosts, all if none is given");
}

Status fence(cli::Program& program, Options& options) {
  prepare(program, options);
  return options.confirm.empty() ? fence_what_is_told(program, options) : confirm(program, options);
}

}  // namespace rackline::fence
