// SPDX-License-Identifier: Apache-2.0
// heartbeat: tells and hears which hosts live, and says with what evidence a host is called down.
#include <unistd.h>

#include <vector>

#include "base/interrupt.h"
#include "base/person.h"
#include "base/secret.h"
#include "base/service.h"
#include "cli/program.h"
#include "cluster/announce.h"
#include "cluster/contacts.h"
#include "ha/agent.h"
#include "ha/health.h"
#include "ha/host_key.h"
#include "ha/key_file.h"
#include "ha/lead.h"
#include "ha/replay.h"
#include "ha/watch_call.h"
#include "ha/watcher.h"
#include "store/patient.h"

namespace rackline {
namespace {

constexpr std::uint16_t kPort = 7788;

struct Options {
  std::string key_file = "/etc/rackline/heartbeat.key", cluster = "rackline", listen, detector = "fixed",
              fence_method = "power";
  ha::AgentOptions agent;
  std::vector<std::string> watchers;
  ha::WatchPolicy policy;
  std::string record_file, trace = "-", host, state;
  std::vector<double> phis{1, 2, 3, 5, 8, 12};
  std::vector<double> timeouts_ms{1200, 1500, 2000, 3000, 4000, 6000};
  Milliseconds suspect_after{0}, dead_after{0};  // 0: as suits the interval
  std::string until, reason;
  bool once = false, lead = false, accept_shared = false;
  std::string made_key, key_host;
  bool renew = false, retire = false;
};

Status beat(cli::Program& program, const Options& options) {
  program.leaves_threads_behind();
  auto agent = options.agent;
  if (options.watchers.empty() && agent.slots.empty())
    throw Error(Status::kUsage, "read the command line", "beat",
                "neither --watcher nor --slots: nobody would hear it");
  agent.key = read_secret(options.key_file);
  agent.cluster = options.cluster;
  agent.fenced_by_self = options.fence_method == "self";
  agent.slot_interval = std::max(agent.interval, ha::kSlotPace);
  for (const auto& watcher : options.watchers) agent.watchers.push_back(net::resolve(watcher, kPort));
  if (const auto why = ha::self_fence_time_objection(agent); !why.empty())
    throw Error(Status::kUsage, "read the command line", "--self-fence", why);
  if (!options.listen.empty()) agent.listen = net::resolve(options.listen, 0);
  be_prompt();
  ha::Agent work(std::move(agent), program.clock(),
                 {.self_fenced = [&](const record::HostSelfFenced& record) { program.out().write(record); },
                  .warn = [&](const std::string& text) { program.warn(text); },
                  .turn = [] { notify_service("WATCHDOG=1"); }});
  notify_service("READY=1");
  work.run();
  return Status::kDone;
}

Status watch(cli::Program& program, const Options& options) {
  program.leaves_threads_behind();
  program.out().flow(true);
  ha::WatcherOptions watcher{
      .hosts = program.inventory(),
      .listen = net::resolve(options.listen.empty() ? "0.0.0.0" : options.listen, kPort),
      .key = read_secret(options.key_file),
      .cluster = options.cluster,
      .accept_shared = options.accept_shared,
      .slots = options.agent.slots,
      .policy = options.policy,
      .once = options.once};
  watcher.policy.storage = !watcher.slots.empty();
  auto& detector = watcher.policy.detector;
  const auto answer = ha::WatchPolicy().answer;
  detector = ha::paced(options.agent.interval, options.suspect_after, options.dead_after);
  detector.phi = options.policy.detector.phi;
  watcher.policy.answer = std::min(answer, detector.dead - detector.suspect);
  if (options.detector == "phi") detector.kind = ha::DetectorPolicy::Kind::kPhi;
  if (detector.suspect <= detector.interval || detector.dead <= detector.suspect)
    throw Error(Status::kUsage, "read the command line", "--suspect-after and --dead-after",
                "expected --interval < --suspect-after < --dead-after");
  constexpr Milliseconds kStoreLocked{30'000};
  const auto open_store = [&]() -> std::shared_ptr<store::Store> {
    return store::open_patiently(program.store_url(), program.clock(), kStoreLocked);
  };
  const auto store = open_store();
  const auto leading = options.lead ? ha::stand_by(*store, program.clock()) : std::nullopt;
  if (options.lead && !leading) return Status::kDone;
  for (const auto& [host, time] : cluster::contacts(*store)) watcher.last_contacts[host] = format_time(time);
  // One that only looks leaves no word. Two connections: what waits for a locked store to write holds up
  // nobody who reads; and what writes is the one of the lock, so that who has lost the lead writes no more.
  std::optional<ha::HealthWriter> health;
  if (!options.once) health.emplace(store, program.clock(), ha::name_of_watcher(watcher.listen));
  const auto marks = open_store();
  be_prompt();
  std::optional<ha::TraceFile> trace;
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
  ha::Watcher work(std::move(watcher), marks, program.clock(),
                   {.transition =
                        [&](const ha::Transition& transition) {
                          if (const auto call = ha::call_for_person(transition); !call.empty())
                            program.warn(call);
                          transition.as_kind([&](auto record) { program.out().write(std::move(record)); });
                          program.out().flush();
                        },
                    .doubt =
                        [&](const record::WatcherSuspect& doubt) {
                          program.warn(doubt.reason);
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
                        [&](std::vector<ha::HostHealth> hosts) {
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
  ha::Trace trace;
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
      ha::renew_master_key(options.made_key);
      done = "a new master key; the one before is good until --retire";
    } else if (options.retire) {
      ha::retire_master_key(options.made_key);
      done = "the previous master key is no good any more";
    } else {
      make_secret(options.made_key);
    }
    program.note(options.made_key + ": " + done);
    return Status::kDone;
  }
  std::string master = read_secret(options.key_file);
  std::string text = ha::host_key_text(master, options.key_host);
  ha::wipe(master);
  if (options.made_key != "-") {
    ha::write_host_key(options.made_key, text);
    program.note(options.made_key + ": the key of " + options.key_host + ", for its agent");
  } else if (write(STDOUT_FILENO, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw system_error(Status::kUnreachable, "write the key", "stdout");
  }
  ha::wipe(text);
  return Status::kDone;
}

void declare_key(cli::Options at, Options& options) {
  const auto host =
      at.text("--host", options.key_host, "make the key of this host, out of --key-file", "HOST")
          .offers(cli::Values::kHosts);
  auto renew = at.flag("--renew", options.renew, "begin to change the master key");
  auto retire = at.flag("--retire", options.retire, "end its change: the previous one is no good any more");
  renew.excludes({host, retire});
  retire.excludes({host});
  at.operand("FILE", options.made_key,
             "a new one; for --renew and --retire the master key; with --host - is stdout")
      .required()
      .offers(cli::Values::kFiles);
}

void declare_beat(cli::Options at, Options& options) {
  auto& agent = options.agent;
  at.text("--host", agent.host, "name of this host in the inventory (else its host name)", "HOST");
  at.texts("-w,--watcher", options.watchers, "ADDRESS[:PORT] of a watcher; may be given again", "ADDRESS");
  at.text("--uri", agent.uri, "this host's libvirt", "URI").shows_default();
  at.duration("--storage-deadline", agent.storage_deadline,
              "a heartbeat on the storage that takes longer is a fault of the storage");
  at.duration("--libvirt-deadline", agent.libvirt_deadline,
              "no answer of libvirtd for so long is a fault of the hypervisor");
  at.duration("--self-fence", agent.self_fence,
              "stop all virtual servers when no watcher and no storage was there for so long; 0: never");
  at.choice("--fence-method", options.fence_method, {"power", "self"},
            "self: others rely on its self-fencing alone, so peers that it hears do not keep its servers "
            "running")
      .shows_default();
  at.text("--run-dir", agent.run_directory, "where the last contact is kept until the next boot", "DIRECTORY")
      .shows_default()
      .offers(cli::Values::kFiles);
  at.text("--watchdog", agent.watchdog, "hardware watchdog that resets this host when it hangs", "DEVICE")
      .offers(cli::Values::kFiles);
  at.text("--qemu-run-dir", agent.qemu_run_directory, "where libvirtd keeps the pid files of QEMU",
          "DIRECTORY")
      .shows_default();
}

void declare_watch(cli::Options at, Options& options) {
  auto& policy = options.policy;
  at.choice("--detector", options.detector, {"fixed", "phi"},
            "fixed: a timeout; phi: suspicion that grows with the silence")
      .shows_default();
  at.duration("--suspect-after", options.suspect_after,
              "silence that makes a host suspect; two thirds of --dead-after if not given")
      .hides_default();
  at.duration("--dead-after", options.dead_after,
              "silence in every channel that makes it dead; three intervals, and 1s at least, if not given")
      .hides_default();
  at.number("--phi", policy.detector.phi, "phi that counts as death; half of it as suspicion",
            {.least = 0.5, .most = 100}, "PHI")
      .shows_default();
  at.duration("--start-grace", policy.start_grace, "what was never heard is not judged before");
  at.duration("--flap-hold", policy.flap_hold, "calm that a host which came and went has to show");
  at.flag("--once", options.once, "end after the first picture of all hosts; status 1 unless all are well");
  at.flag("--accept-shared-key", options.accept_shared, "believe agents that have no key of their own yet");
  at.flag("--lead", options.lead, "stand by while another watcher of this store leads");
  at.text("--record", options.record_file, "append what arrives to a trace for replay", "FILE")
      .offers(cli::Values::kFiles);
}

void declare_replay(cli::Options at, Options& options) {
  at.operand("TRACE", options.trace, "records of watch --record, - for stdin").offers(cli::Values::kFiles);
  at.numbers("--timeouts", options.timeouts_ms, "fixed timeouts to try, in ms", "MS,...");
  at.numbers("--phis", options.phis, "thresholds of phi-accrual to try", "PHI,...");
}

void declare_maintenance(cli::Options at, Options& options) {
  at.operand("HOST", options.host, "the host; none: tell of all").offers(cli::Values::kHosts);
  at.choice("STATE", options.state, {"on", "off"}, "on or off");
  at.text("--until", options.until, "it is over at this time, or after so long", "TIME|DURATION");
  at.text("--reason", options.reason, "why, for whoever asks", "TEXT");
}

// Of the program and not of its commands: two commands' options with one environment variable overwrite each
// other.
void declare_common(cli::Options at, Options& options) {
  at.text("--key-file", options.key_file, "the key: a host's own for beat, the master key for watch", "FILE")
      .from("RACKLINE_HEARTBEAT_KEY_FILE")
      .shows_default()
      .offers(cli::Values::kFiles);
  at.text("--cluster", options.cluster, "name of the cluster", "NAME").shows_default();
  at.text("--slots", options.agent.slots, "directory on the shared storage for heartbeats", "DIRECTORY")
      .offers(cli::Values::kFiles);
  at.text("--listen", options.listen, "ADDRESS[:PORT] of its own, UDP", "ADDRESS");
  at.duration("--interval", options.agent.interval, "time between two heartbeats");
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "heartbeat",
       .nature = cli::Nature::kObserve,
       .summary = "tell and hear which hosts live, over the network and the shared storage",
       .description = "beat runs on every host, watch beside the programs that manage them.",
       .examples = {{"heartbeat key /etc/rackline/heartbeat.key", "make the master key of the watchers"},
                    {"heartbeat key --host h3 h3.key", "make the key of a host out of it"},
                    {"heartbeat beat --watcher 10.0.0.1 --slots /srv/vm/.beats", "on a host"},
                    {"heartbeat watch --slots /srv/vm/.beats | fence | failover",
                     "a dead host's servers run elsewhere"},
                    {"heartbeat watch --once", "who is well now?"},
                    {"heartbeat maintenance h3 on --until 2h --reason 'new fans'", "its silence is planned"},
                    {"heartbeat replay trace.jsonl", "compare failure detectors"}}});
  Options options;
  options.agent.run_directory = "/run/rackline";
  program.takes_inventory();
  program.takes_store();
  auto& at = program.options();
  declare_common(at, options);
  const auto command = [&](const char* name, const char* about, auto declare, std::function<Status()> body) {
    declare(at.command(name, about, std::move(body)), options);
  };
  command("beat", "on a host: tell that it lives", declare_beat, [&] { return beat(program, options); });
  command("watch", "hear the hosts, and tell what becomes of them", declare_watch,
          [&] { return watch(program, options); });
  command("replay", "score failure detectors on a trace", declare_replay,
          [&] { return replay(program, options); });
  command("maintenance", "announce that a host will be silent", declare_maintenance,
          [&] { return maintenance(program, options); });
  command("key", "make or change a key file", declare_key, [&] { return key(program, options); });
  return program.run(argc, argv);
}
