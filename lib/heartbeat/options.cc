// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/options.h"

namespace rackline::heartbeat {

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

}  // namespace rackline::heartbeat
