// SPDX-License-Identifier: Apache-2.0
#include "fence/options.h"

#include "base/error.h"

namespace rackline::fence {

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

void prepare(const cli::Program& program, Options& options) {
  auto& policy = options.policy;
  policy.dry_run = program.dry_run();
  policy.fence_isolated = options.isolated == "fence";
  policy.fence_partitioned = options.partitioned == "fence";
  policy.fence_hypervisor_down = options.hypervisor_down == "fence";
  policy.fence_living_store = options.living_store == "fence";
  if (policy.deadline < Milliseconds{1000})
    throw Error(Status::kUsage, "read the command line", "--deadline", "expected at least 1s");
}

}  // namespace rackline::fence
