// SPDX-License-Identifier: Apache-2.0
// heartbeat: tells and hears which hosts live, and says with what evidence a host is called down.
#include "cli/program.h"
#include "heartbeat/commands.h"

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
  heartbeat::Options options;
  options.agent.run_directory = "/run/rackline";
  program.takes_inventory();
  program.takes_store();
  program.says_each_warning();
  program.takes_append();
  auto& at = program.options();
  heartbeat::declare_common(at, options);
  const auto command = [&](const char* name, const char* about, auto declare, std::function<Status()> body) {
    declare(at.command(name, about, std::move(body)), options);
  };
  command("beat", "on a host: tell that it lives", heartbeat::declare_beat,
          [&] { return heartbeat::beat(program, options); });
  command("watch", "hear the hosts, and tell what becomes of them", heartbeat::declare_watch,
          [&] { return heartbeat::watch(program, options); });
  command("replay", "score failure detectors on a trace", heartbeat::declare_replay,
          [&] { return heartbeat::replay(program, options); });
  command("maintenance", "announce that a host will be silent", heartbeat::declare_maintenance,
          [&] { return heartbeat::maintenance(program, options); });
  command("key", "make or change a key file", heartbeat::declare_key,
          [&] { return heartbeat::key(program, options); });
  return program.run(argc, argv);
}
