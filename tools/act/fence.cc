// SPDX-License-Identifier: Apache-2.0
// fence: switches off hosts that heartbeat has declared dead, and proves it: only then may failover act.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <set>
#include <thread>

#include "base/interrupt.h"
#include "base/person.h"
#include "cli/program.h"
#include "ha/fence_hand.h"
#include "ha/fence_identity.h"
#include "ha/fence_records.h"
#include "store/etcd.h"
#include "store/patient.h"

namespace rackline {
namespace {

using Outcome = ha::FenceReport::Outcome;

struct Options {
  ha::FencePolicy policy;
  ha::BmcAccess bmc;
  std::string isolated = "leave", partitioned = "leave", hypervisor_down = "leave", living_store = "veto";
  std::string confirm;
  std::vector<std::string> hosts;
  bool resume = false;
  bool require_identity = false;
};

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
              ha::fence_methods(program.inventory(), ha::read_fence_methods(program.inventory_file()),
                                options.bmc),
              [&program](const std::string& text) { program.warn(text); }} {}

  std::unique_ptr<store::Store> store;
  ha::FenceAgents agents;
  ha::IdentityGuard guard;
  ha::FenceEngine::World world;
};

void report(cli::Program& program, Session& session, const ha::FenceReport& report) {
  if (const auto call = ha::call_for_person(report); !call.empty()) program.warn(call);
  if (report.outcome == Outcome::kFenced) {
    program.out().write(ha::with_identity(ha::fenced_record(report), session.guard, session.world.methods));
  } else {
    program.out().write(ha::not_fenced_record(report));
  }
  program.out().flush();
}

// For whoever commands it at a terminal.
void note_mark(cli::Program& program, const ha::FenceReport& result, const std::string& more) {
  if (result.outcome != Outcome::kFenced) return;
  program.note(result.host +
               (result.planned   ? " would be marked as fenced"
                : result.already ? " was marked as fenced already"
                                 : " is marked as fenced") +
               more);
}

// A line that could not be read, which has been told: it may have said that a host is up.
void doubt(cli::Program& program, std::string_view line, const Session& session, ha::FenceEngine& engine) {
  std::set<std::string> hosts;
  for (const auto& [host, methods] : session.world.methods) hosts.insert(host);
  for (const auto& host : ha::maybe_alive(line, hosts)) engine.alive(host, program.clock().wall());
}

void follow(cli::Program& program, record::Reader& reader, ha::FenceEngine& engine) {
  while (reader.next()) {
    if (!ha::is_request(reader)) {
      if (const auto sign = ha::contradiction(reader)) {
        engine.contradicted(*sign);
        program.warn(ha::call_about_life(sign->host));
      }
      if (const auto sign = ha::sign_of_life(reader)) engine.alive(sign->host, sign->time);
      program.out().pass(reader);
      continue;
    }
    // One that cannot be read is told and counted, and the next may be about another host.
    const auto request = ha::read_request(reader, program.clock().monotonic());
    if (!request) continue;
    if (ha::shows_life(request->kind, request->state)) engine.alive(request->host(), request->state.time);
    program.out().pass(reader);
    engine.request(*request);
  }
}

Status conclude(cli::Program& program, std::map<Outcome, int> outcomes, bool understood) {
  auto& end = program.end();
  (program.dry_run() ? end.planned : end.done) = outcomes[Outcome::kFenced];
  end.failed = outcomes[Outcome::kFailed];
  end.refused = outcomes[Outcome::kRefused] + outcomes[Outcome::kBusy];
  if (end.failed > 0) return Status::kNo;
  if (!understood) return Status::kUsage;
  if (outcomes[Outcome::kBusy] > 0) return Status::kBusy;
  return end.refused > 0 ? Status::kRefused : Status::kDone;
}

Status fence(cli::Program& program, const Options& options) {
  program.out().flow(true);
  std::unique_ptr<record::Reader> reader;
  ha::FenceEngine* watching = nullptr;
  const Session* known = nullptr;
  if (!options.resume) {
    reader = program.stdin_reader(record::Policy::kSkip, [&] {
      if (watching != nullptr) doubt(program, reader->text(), *known, *watching);
    });
  }
  Session session(program, options, !options.resume);
  ha::FenceEngine engine(options.policy, session.world, [&](const ha::FenceReport& result) {
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
    if (!options.policy.dry_run) ha::FenceJournal(*session.store, program.clock()).prune();
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
  const ha::HostAnswer ask = [&](const std::string& name) {
    const auto host =
        std::find_if(hosts.begin(), hosts.end(), [&](const auto& one) { return one.host == name; });
    auto answer = host == hosts.end() ? "" : ha::answer_of_libvirtd(*host, program.timeout());
    if (answer.empty()) answer = ha::answer_of_heartbeat(*session.store, name, program.clock().wall());
    return answer;
  };
  const auto result = ha::confirm_off(session.world, options.policy, options.confirm, this_person(), ask);
  report(program, session, result);
  // The pipeline that called does not hear of this.
  const bool unheard = !result.planned && isatty(STDOUT_FILENO) == 1;
  note_mark(program, result, unheard ? "; its virtual servers are restarted by: failover --resume" : "");
  return result.outcome == Outcome::kFenced ? Status::kDone : Status::kRefused;
}

Status unfence(cli::Program& program, const Options& options) {
  using Unfenced = ha::UnfenceReport::Outcome;
  Session session(program, options);
  Status worst = Status::kDone;
  for (const auto& host : options.hosts) {
    if (interrupt::requested()) break;
    const auto result = ha::unfence(session.world, options.policy, host);
    program.out().write(ha::unfenced_record(result));
    if (result.outcome == Unfenced::kFailed) worst = Status::kNo;
    if (result.outcome == Unfenced::kRefused && worst == Status::kDone) worst = Status::kRefused;
    if (!result.reason.empty() && result.outcome != Unfenced::kAlready)
      program.warn(host + ": " + result.reason);
    if (result.outcome == Unfenced::kAlready && !result.reason.empty())
      program.note(host + ": " + result.reason + ": nothing was done");
    else if (result.planned && result.outcome == Unfenced::kDone)
      program.note(host + " would be marked as returning and switched on");
    else if (result.outcome == Unfenced::kDone || result.outcome == Unfenced::kAlready)
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
  for (const auto& result : ha::host_power(session.world, hosts, program.timeout())) {
    program.out().write(ha::power_record(result));
    if (result.reading.power == ha::Power::kUnknown) status = Status::kUnreachable;
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
  ha::RealIdentities source;
  Status status = Status::kDone;
  for (const auto& finding : ha::verify_identities(*session.store, source, hosts, session.world.methods,
                                                   program.clock(), program.timeout(), !program.dry_run())) {
    program.out().write(ha::identity_record(finding));
    if (!finding.reason.empty()) program.warn(finding.host + ": " + finding.reason);
    if (finding.identity == ha::SwitchIdentity::kMismatch) status = Status::kNo;
    if (finding.identity == ha::SwitchIdentity::kUnknown && status == Status::kDone)
      status = Status::kUnreachable;
  }
  return status;
}

void declare(cli::Options at, Options& options) {
  auto& policy = options.policy;
  const auto word = [&](const char* flag, std::string& value, const char* other, const char* about) {
    at.choice(flag, value, {value, other}, about).shows_default();
  };
  word("--isolated", options.isolated, "fence", "what to do with host_isolated");
  word("--partitioned", options.partitioned, "fence", "what to do with host_partitioned");
  word("--hypervisor-down", options.hypervisor_down, "fence", "what to do with hypervisor_down");
  word("--living-store", options.living_store, "fence",
       "whether a host that still writes to the shared storage is left alone");
  at.duration("--deadline", policy.deadline, "give a host up after this");
  at.duration("--max-age", policy.max_age, "refuse records that are older");
  at.duration("--takeover", policy.takeover, "silence after which a host that fences itself has done so");
  at.duration("--loop-window", policy.loop_window,
              "a host that was fenced three times within this is left to a person");
  at.duration("--retry-for", policy.retry_for,
              "how long a fencing that failed is repeated while the host stays down; 0: not at all");
  at.flag("--trust-self-fence", policy.trust_self_fence,
          "method self also for hosts without a hardware watchdog");
  at.text("--bmc-user", options.bmc.user,
          "user of the management controllers that the inventory names by bmc", "NAME")
      .from("RACKLINE_BMC_USER");
  at.text("--bmc-password-file", options.bmc.password_file,
          "file with their password, for its owner's eyes only", "FILE")
      .from("RACKLINE_BMC_PASSWORD_FILE")
      .offers(cli::Values::kFiles);
  at.number("--bmc-cipher", options.bmc.cipher, "cipher suite of IPMI", {.least = 0, .most = 17})
      .shows_default();
  at.flag("--require-identity", options.require_identity,
          "use only controllers of which fence verify has confirmed that they are the host's own");
  at.flag("--force", policy.force,
          "also more than half of all hosts; with --confirm-manual also a host that reads on or answers");
  at.flag("--resume", options.resume, "read nothing; settle what a killed fence left open");
  at.text("--confirm-manual", options.confirm,
          "you have switched HOST off yourself; its name is read from stdin once more", "HOST")
      .offers(cli::Values::kHosts);
}

void prepare(cli::Program& program, Options& options) {
  auto& policy = options.policy;
  policy.dry_run = program.dry_run();
  policy.fence_isolated = options.isolated == "fence";
  policy.fence_partitioned = options.partitioned == "fence";
  policy.fence_hypervisor_down = options.hypervisor_down == "fence";
  policy.fence_living_store = options.living_store == "fence";
  if (policy.deadline < Milliseconds{1000})
    throw Error(Status::kUsage, "read the command line", "--deadline", "expected at least 1s");
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "fence",
       .nature = cli::Nature::kAct,
       .summary = "switch dead hosts off, prove it, and say so",
       .description =
           "Reads the records of heartbeat. A host counts as fenced only when its power was read back as "
           "off, twice.",
       .examples = {{"heartbeat watch | fence | failover", "a host dies: its virtual servers run elsewhere"},
                    {"fence status", "which hosts are on, and which are fenced"},
                    {"fence verify", "whether each controller is that of its host"},
                    {"fence -n <down.jsonl", "read the power and change nothing"},
                    {"fence --confirm-manual h3 | failover", "nobody but you could switch it off"},
                    {"fence unfence h3", "switch a fenced host on again"},
                    {"fence --resume", "settle what a killed fence left open"}}});
  Options options;
  program.takes_inventory();
  program.takes_store();
  program.takes_timeout(Milliseconds{10'000});
  program.takes_dry_run();
  auto& at = program.options();
  declare(at, options);
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
  command("unfence", "switch fenced hosts on again", unfence, "hosts").required();
  command("status", "the power and the fence mark of hosts", show, "hosts, all if none is given");
  command("verify", "whether each controller switches the host that it is said to", verify,
          "hosts, all if none is given");
  return program.run(argc, argv, [&] {
    prepare(program, options);
    return options.confirm.empty() ? fence(program, options) : confirm(program, options);
  });
}
