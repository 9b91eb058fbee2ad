// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/commands.h"

#include <unistd.h>

#include "base/interrupt.h"
#include "base/person.h"
#include "base/secret.h"
#include "base/service.h"
#include "cli/program.h"
#include "cluster/announce.h"
#include "cluster/contacts.h"
#include "heartbeat/agent.h"
#include "heartbeat/health.h"
#include "heartbeat/host_key.h"
#include "heartbeat/key_file.h"
#include "heartbeat/lead.h"
#include "heartbeat/replay.h"
#include "heartbeat/watch_call.h"
#include "heartbeat/watcher.h"
#include "store/patient.h"

namespace rackline::heartbeat {
namespace {

constexpr std::uint16_t kPort = 7788;

}  // namespace

Status beat(cli::Program& program, const Options& options) {
  program.leaves_threads_behind();
  auto agent = options.agent;
  if (options.watchers.empty() && agent.slots.empty())
    throw Error(Status::kUsage, "read the command line", "beat",
                "neither --watcher nor --slots: nobody would hear it");
  agent.key = read_secret(options.key_file);
  agent.cluster = options.cluster;
  agent.fenced_by_self = options.fence_method == "self";
  agent.slot_interval = std::max(agent.interval, kSlotPace);
  for (const auto& watcher : options.watchers) agent.watchers.push_back(net::resolve(watcher, kPort));
  if (const auto why = self_fence_time_objection(agent); !why.empty())
    throw Error(Status::kUsage, "read the command line", "--self-fence", why);
  if (!options.listen.empty()) agent.listen = net::resolve(options.listen, 0);
  be_prompt();
  Agent work(std::move(agent), program.clock(),
             {.self_fenced = [&](const record::HostSelfFenced& record) { program.out().write(record); },
              .warn = [&](const std::string& text) { program.warn(text); },
              .turn = [] { notify_service("WATCHDOG=1"); }});
  notify_service("READY=1");
  work.run();
  return Status::kDone;
}

WatcherOptions watcher_options(cli::Program& program, const Options& options) {
  WatcherOptions watcher{.hosts = program.inventory(),
                         .listen = net::resolve(options.listen.empty() ? "0.0.0.0" : options.listen, kPort),
                         .key = read_secret(options.key_file),
                         .cluster = options.cluster,
                         .accept_shared = options.accept_shared,
                         .slots = options.agent.slots,
                         .policy = options.policy,
                         .once = options.once};
  watcher.policy.storage = !watcher.slots.empty();
  auto& detector = watcher.policy.detector;
  const auto answer = WatchPolicy().answer;
  detector = paced(options.agent.interval, options.suspect_after, options.dead_after);
  detector.phi = options.policy.detector.phi;
  watcher.policy.answer = std::min(answer, detector.dead - detector.suspect);
  if (options.detector == "phi") detector.kind = DetectorPolicy::Kind::kPhi;
  if (detector.suspect <= detector.interval || detector.dead <= detector.suspect)
    throw Error(Status::kUsage, "read the command line", "--suspect-after and --dead-after",
                "expected --interval < --suspect-after < --dead-after");
  return watcher;
}

Status watch(cli::Program& program, const Options& options) {
  program.leaves_threads_behind();
  program.out().flow(true);
  WatcherOptions watcher = watcher_options(program, options);
  be_prompt();  // before there are threads, as what keeps the lead is one
  constexpr Milliseconds kStoreLocked{30'000};
  const auto open_store = [&]() -> std::shared_ptr<store::Store> {
    return store::open_patiently(program.store_url(), program.clock(), kStoreLocked);
  };
  const auto store = open_store();
  const auto leading = options.lead ? stand_by(*store, program.clock()) : std::nullopt;
  if (options.lead && !leading) return Status::kDone;
  for (const auto& [host, time] : cluster::contacts(*store)) watcher.last_contacts[host] = format_time(time);
  // One that only looks leaves no word. Two connections: what waits for a locked store to write holds up
  // nobody who reads; and what writes is the one of the lock, so that who has lost the lead writes no more.
  std::optional<HealthWriter> health;
  if (!options.once) health.emplace(store, program.clock(), name_of_watcher(watcher.listen));
  const auto marks = open_store();
  std::optional<TraceFile> trace;
  if (!options.record_file.empty()) trace.emplace(options.record_file);
  const auto seen = [&](const record::HeartbeatSeen& record) {
    if (!trace) return;
    try {
      trace->write(record, program.clock());
    } catch (const Error& error) {
      // The hosts need their watcher more than anybody needs the trace.
      program.warn(std::string(error.what()) + "; the trace ends here");
      trace.reset();
    }
  };
  Watcher work(std::move(watcher), marks, program.clock(),
               {.transition =
                    [&](const Transition& transition) {
                      if (const auto call = call_for_person(transition); !call.empty())
                        program.call_person(call);
                      transition.as_kind([&](auto record) { program.out().write(std::move(record)); });
                      program.out().flush();
                    },
                .doubt =
                    [&](const record::WatcherSuspect& doubt) {
                      program.call_person(doubt.reason);
                      program.out().write(doubt);
                      program.out().flush();
                    },
                .seen = trace ? std::function<void(const record::HeartbeatSeen&)>(seen) : nullptr,
                .warn = [&](const std::string& text) { program.warn(text); },
                .turn =
                    [&] {
                      notify_service("WATCHDOG=1");
                      const auto soon = program.clock().monotonic() + Milliseconds{1};
                      return interrupt::wait_until(program.clock(), soon, true) !=
                             interrupt::Woken::kReaderGone;
                    },
                .health =
                    [&](std::vector<HostHealth> hosts) {
                      if (!health) return;
                      health->tell(std::move(hosts));
                      if (const auto news = health->news()) program.warn(*news);
                    }});
  notify_service("READY=1\nSTATUS=watching");
  const bool well = work.run();
  return options.once && !well ? Status::kNo : Status::kDone;
}

Status replay(cli::Program& program, const Options& options) {
  const auto reader = options.trace == "-" ? program.stdin_reader(record::Policy::kSkip)
                                           : program.file_reader(options.trace, record::Policy::kSkip);
  Trace trace;
  record::HeartbeatSeen seen;
  record::HostDied died;
  while (reader->next()) {
    if (reader->is<record::HeartbeatSeen>() && reader->read(seen)) trace.add(seen);
    if (reader->is<record::HostDied>() && reader->read(died)) trace.add(died);
  }
  if (trace.empty())
    throw Error(Status::kUsage, "score detectors", options.trace, "there is no heartbeat_seen in it");
  for (auto& score : trace.compare(options.agent.interval, options.timeouts_ms, options.phis))
    program.out().write(std::move(score));
  return Status::kDone;
}

Status maintenance(cli::Program& program, const Options& options) {
  const auto store = store::Store::open(program.store_url());
  const auto now = program.clock().wall();
  if (options.host.empty()) {
    for (const auto& mark : cluster::maintenance_marks(*store)) {
      if (auto record = cluster::record_of(mark, now)) program.out().write(std::move(*record));
    }
    return Status::kDone;
  }
  program.describes_itself();
  const auto usage = [&](const char* why) {
    return Error(Status::kUsage, "announce maintenance", options.host, why);
  };
  if (options.state.empty()) throw usage("expected on or off");
  const auto hosts = program.inventory();
  const auto is = [&](const record::Host& host) { return host.host == options.host; };
  if (std::none_of(hosts.begin(), hosts.end(), is)) throw usage("it is not in the inventory");
  if (options.state == "off") {
    if (!options.until.empty() || !options.reason.empty()) throw usage("--until and --reason are for on");
    const bool was = cluster::remove_maintenance(*store, options.host);
    program.note(options.host + (was ? " is in maintenance no more" : " was in no maintenance"));
    return Status::kDone;
  }
  cluster::MaintenanceMark mark{options.host, options.reason, now, this_person()};
  if (mark.reason.empty()) mark.reason = "announced by a person";
  if (!options.until.empty()) mark.until = cluster::parse_until(options.until, now);
  put(*store, mark);
  program.note(
      options.host + " is in maintenance until " +
      (mark.until ? format_time(*mark.until) : "you say: heartbeat maintenance " + options.host + " off"));
  return Status::kDone;
}

Status key(cli::Program& program, const Options& options) {
  program.describes_itself();
  if (options.key_host.empty()) {
    const char* done = "a new master key, for watchers; each host gets its own by --host";
    if (options.renew) {
      renew_master_key(options.made_key);
      done = "a new master key; the one before is good until --retire";
    } else if (options.retire) {
      retire_master_key(options.made_key);
      done = "the previous master key is no good any more";
    } else {
      make_secret(options.made_key);
    }
    program.note(options.made_key + ": " + done);
    return Status::kDone;
  }
  std::string master = read_secret(options.key_file);
  std::string text = host_key_text(master, options.key_host);
  wipe(master);
  if (options.made_key != "-") {
    write_host_key(options.made_key, text);
    program.note(options.made_key + ": the key of " + options.key_host + ", for its agent");
  } else if (write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw system_error(Status::kUnreachable, "write the key", "stdout");
  }
  wipe(text);
  return Status::kDone;
}

}  // namespace rackline::heartbeat
