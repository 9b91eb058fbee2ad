// SPDX-License-Identifier: Apache-2.0
// failover: restarts the virtual servers of hosts that are proven to be off, and keeps what it needs for
// that.
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <vector>

#include "base/interrupt.h"
#include "cli/program.h"
#include "cluster/disarm.h"
#include "ha/clear.h"
#include "ha/failback.h"
#include "ha/fence_method.h"
#include "ha/fenced_feed.h"
#include "ha/protect.h"
#include "ha/recovery.h"
#include "ha/recovery_service.h"
#include "store/store.h"

namespace rackline {
namespace {

struct Options {
  ha::RecoveryPolicy policy;
  ha::Wishes wishes;
  std::vector<std::string> vms;
  std::string host;
  std::string reason, until;
  bool resume = false;
  bool destroy_stale = false;
};

class Failover {
 public:
  Failover(cli::Program& program, Options& options)
      : program_(program), options_(options), inventory_(program.inventory()) {
    program.leaves_threads_behind();
    options_.policy.timeout = program.timeout();
    options_.policy.dry_run = program.dry_run();
    // Two hosts with one power switch are refused: the proof of one could be the other's power.
    ha::fence_methods(inventory_, ha::read_fence_methods(program.inventory_file()), {});
    cluster_ = ha::libvirt_cluster(inventory_);
    store_ = store::Store::open(program.store_url());
  }

  Status restart() {
    auto recovery = this->recovery();
    if (options_.resume) {
      recovery.settle();
      recovery.resume();
      return finish(recovery);
    }
    ha::RecoveryService service(recovery, [this](const std::string& text) { program_.warn(text); });
    service.begin();
    // The first answer of a libvirtd takes seconds; when a host has died there is no time for that.
    std::vector<std::string> names;
    for (const auto& host : inventory_) names.push_back(host.host);
    cluster_->look(names, program_.timeout());
    const std::shared_ptr<record::Reader> reader = program_.stdin_reader(record::Policy::kRefuse);
    ha::FencedFeed feed(reader, program_.clock(),
                        [this](const record::Reader& read) { program_.out().pass(read); });
    while (!feed.over() && !interrupt::requested()) {
      const auto fenced = feed.next(service.patience());
      for (const auto& host : feed.contradicted()) recovery.contradict(host);
      if (fenced) {
        service.take(fenced->first, fenced->second);
      } else if (!feed.over() && !interrupt::requested()) {
        service.idle();
      }
      program_.out().flush();
    }
    if (!interrupt::requested()) service.end();
    const Status status = finish(recovery);
    if (interrupt::requested() || reader->complete()) return status;
    throw Error(Status::kUsage, "read records", "stdin", "it ended without an end record: its producer died",
                "what had been read was carried out");
  }

  Status keep() {
    auto recovery = this->recovery();
    recovery.settle();
    if (!recovery.keep())
      throw Error(Status::kBusy, "keep", program_.store_url(), "another failover is at work");
    return finish(recovery);
  }

  Status failback() {
    const auto plan = ha::failback(inventory_, *cluster_, *store_, program_.clock(), program_.timeout());
    for (const auto& move : plan.moves) program_.out().write(move);
    for (const auto& [vm, why] : plan.stay) program_.warn(vm + " stays where it is: " + why);
    return plan.stay.empty() ? Status::kDone : Status::kNo;
  }

  Status drill() {
    auto recovery = this->recovery();
    recovery.drill(options_.host);
    return finish(recovery);
  }

  Status protect() {
    const auto held = lock();
    ha::require_private(program_.store_url());
    return protector().protect(options_.wishes);
  }
  Status refresh() {
    const auto held = lock();
    ha::require_private(program_.store_url());
    return protector().refresh();
  }
  Status unprotect() {
    const auto held = lock();
    return protector().unprotect(options_.vms);
  }

  Status clear() {
    const auto held = lock();
    const auto record = ha::clear(
        {options_.host, options_.destroy_stale, program_.dry_run(), program_.timeout()}, inventory_,
        *cluster_, *store_, program_.clock(), [this](const std::string& text) { program_.warn(text); });
    program_.out().write(record);
    if (record.outcome == "refused") program_.warn(record.host + " is not cleared: " + *record.reason);
    return record.outcome == "refused" ? Status::kRefused : Status::kDone;
  }

 private:
  ha::Recovery recovery() {
    return {options_.policy,
            inventory_,
            *cluster_,
            *store_,
            program_.clock(),
            ha::probe_tcp,
            {.restarted = [this](const record::VmRestarted& record) { program_.out().write(record); },
             .not_restarted = [this](const record::VmNotRestarted& record) { program_.out().write(record); },
             .warn = [this](const std::string& text) { program_.warn(text); }}};
  }

  ha::Protector protector() {
    return {inventory_,
            *cluster_,
            *store_,
            program_.clock(),
            program_.timeout(),
            program_.dry_run(),
            {.stored = [this](const record::VmProtected& record) { program_.out().write(record); },
             .warn = [this](const std::string& text) { program_.warn(text); }}};
  }

  std::optional<store::Lock> lock() {
    if (program_.dry_run()) return std::nullopt;
    auto held = store_->lock("failover", program_.clock(),
                             program_.clock().monotonic() + options_.policy.lock_timeout);
    if (!held) throw Error(Status::kBusy, "begin", program_.store_url(), "another failover is at work");
    return held;
  }

  Status finish(const ha::Recovery& recovery) {
    const auto summary = recovery.summary();
    auto& end = program_.end();
    end.done = summary.done;
    end.already = summary.already;
    end.unplaced = summary.unplaced;
    end.refused = summary.refused;
    end.failed = summary.failed;
    return recovery.status();
  }

  cli::Program& program_;
  Options& options_;
  std::vector<record::Host> inventory_;
  std::unique_ptr<ha::RecoveryCluster> cluster_;
  std::unique_ptr<store::Store> store_;
};

std::string person() {
  const auto* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : "uid " + std::to_string(getuid());
}

Status disarm(cli::Program& program, const Options& options) {
  const auto now = program.clock().wall();
  cluster::DisarmMark mark{options.reason, now, person(), {}};
  if (!options.until.empty()) {
    mark.until = parse_time(options.until);
    if (!mark.until || *mark.until <= now) {
      throw Error(Status::kUsage, "read the command line", "--until " + options.until,
                  "expected a time to come, such as 2030-01-31T06:00:00Z");
    }
  }
  const auto store = store::Store::open(program.store_url());
  auto record = record_of(mark);
  if (program.dry_run()) {
    record.planned = true;
  } else {
    put(*store, mark);
  }
  program.out().write(record);
  return Status::kDone;
}

Status arm(cli::Program& program) {
  const auto store = store::Store::open(program.store_url());
  if (!program.dry_run()) cluster::remove_disarm(*store);
  auto record = cluster::healing(*store, program.clock().wall());
  if (program.dry_run()) {
    record = {};
    record.state = "armed";
    record.planned = true;
  }
  program.out().write(record);
  return Status::kDone;
}

// Works when every host is dead, and without an inventory.
Status list(cli::Program& program) {
  const auto store = store::Store::open(program.store_url());
  const auto now = program.clock().wall();
  if (const auto why = cluster::disarmed(*store, now); !why.empty()) {
    program.out().write(cluster::healing(*store, now));
    program.warn(why);
  }
  for (const auto& vm : ha::protected_vms(*store)) program.out().write(ha::record_of(vm));
  return Status::kDone;
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "failover",
       .nature = cli::Nature::kAct,
       .summary = "restart the virtual servers of hosts that are proven to be off",
       .description =
           "Acts on host_fenced records on stdin and on nothing weaker. A repeated command finishes "
           "what a killed one began.",
       .examples = {
           {"failover protect web1 db1 --priority 10", "restart these when their host dies"},
           {"failover protect web1 --after db1 --check tcp:10.0.3.7:80", "db1 first, and ask it"},
           {"failover drill h3", "what would happen if h3 died now"},
           {"heartbeat watch | fence | failover", "a host dies: prove it is off, restart its servers"},
           {"failover --resume", "finish what a killed failover left open"},
           {"failover clear h3", "h3 is back: remove what is stale there, let it serve again"}}});
  Options options;
  program.takes_inventory();
  program.takes_store();
  program.takes_timeout(options.policy.timeout);
  program.takes_dry_run();
  auto& app = program.app();
  const auto limit = [&](const char* flag, int& value, int most, const char* text) {
    app.add_option(flag, value, text)->type_name("N")->check(CLI::Range(1, most))->capture_default_str();
  };
  limit("--max-total", options.policy.max_total, 1000, "starts at one time in all");
  // libvirtd works on five requests of one client at a time, and looking is one.
  limit("--max-per-host", options.policy.max_per_host, 4, "starts at one time on one host");
  limit("--attempts", options.policy.attempts, 1000, "starts of one virtual server, each on another host");
  program.duration(app, "--verify-timeout", options.policy.verify_timeout,
                   "how long a start and its proof may take");
  app.add_flag("--resume", options.resume, "read nothing; finish the work of all hosts that are fenced");

  auto* protect = app.add_subcommand("protect", "keep what is needed to restart these virtual servers");
  auto& wishes = options.wishes;
  const auto vms_of = [&](CLI::App* command, std::vector<std::string>& vms) {
    auto* option = command->add_option("VM", vms, "virtual servers");
    program.completes(option, cli::Program::Values::kVms);
    return option;
  };
  vms_of(protect, wishes.vms);
  protect->add_option("--priority", wishes.priority, "restart priority, higher first")->type_name("N");
  // One value each: VM operands may follow.
  program.completes(protect->add_option("--after", wishes.after, "has to run before them; may be repeated")
                        ->type_name("VM")
                        ->expected(1)
                        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll),
                    cli::Program::Values::kVms);
  protect->add_option("--anti-affinity", wishes.anti_affinity, "no two of this group on one host")
      ->type_name("GROUP");
  program.completes(
      protect->add_option("--prefer", wishes.affinity.prefer, "where they are to be, the best one first")
          ->type_name("HOST,...")
          ->delimiter(',')
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll),
      cli::Program::Values::kHosts);
  protect->add_flag("--only", wishes.affinity.only, "they are started on no other hosts than these");
  protect->add_option("--together", wishes.affinity.together, "all of this group on one host")
      ->type_name("GROUP");
  protect->add_flag("--failback", wishes.affinity.failback,
                    "failover failback moves them back to a better host that serves again");
  protect->add_option("--check", wishes.check, "how they prove that they serve: tcp:ADDRESS:PORT")
      ->type_name("CHECK")
      ->check(
          [](const std::string& given) { return ha::parse_check(given) ? "" : "expected tcp:ADDRESS:PORT"; });
  protect->add_flag("--all", wishes.all, "every virtual server of every host");
  auto* refresh =
      app.add_subcommand("refresh", "read host, definition and state of the protected ones again");
  auto* unprotect = app.add_subcommand("unprotect", "forget these virtual servers");
  vms_of(unprotect, options.vms)->required();
  auto* list_command = app.add_subcommand("list", "what is protected, as last seen");
  const auto host_of = [&](CLI::App* command, const char* text) {
    program.completes(command->add_option("HOST", options.host, text)->required(),
                      cli::Program::Values::kHosts);
  };
  auto* keep = app.add_subcommand("keep", "start what is protected, should run, and is off on living hosts");
  auto* drill = app.add_subcommand("drill", "what would happen if a host died now; changes nothing");
  host_of(drill, "host that is taken for dead");
  auto* clear = app.add_subcommand("clear", "take a fenced host back that has returned");
  host_of(clear, "host that has returned");
  clear->add_flag("--destroy-stale", options.destroy_stale,
                  "end a copy there that runs although its place is elsewhere");
  auto* failback_command =
      app.add_subcommand("failback", "decide for migrate: who goes back to a host that it prefers");
  auto* disarm_command =
      app.add_subcommand("disarm", "fence switches and failover starts nothing by itself any more");
  disarm_command->add_option("--until", options.until, "it is armed again from this time on")
      ->type_name("TIME");
  disarm_command->add_option("--reason", options.reason, "why, for whoever asks")->type_name("TEXT");
  auto* arm_command = app.add_subcommand("arm", "the cluster heals itself again");
  app.require_subcommand(0, 1);

  return program.run(argc, argv, [&] {
    if (list_command->parsed()) return list(program);
    if (disarm_command->parsed()) return disarm(program, options);
    if (arm_command->parsed()) return arm(program);
    if (protect->parsed() && wishes.vms.empty() && !wishes.all) {
      throw Error(Status::kUsage, "read the command line", "protect", "expected virtual servers, or --all");
    }
    Failover failover(program, options);
    if (protect->parsed()) return failover.protect();
    if (refresh->parsed()) return failover.refresh();
    if (unprotect->parsed()) return failover.unprotect();
    if (keep->parsed()) return failover.keep();
    if (failback_command->parsed()) return failover.failback();
    if (drill->parsed()) return failover.drill();
    if (clear->parsed()) return failover.clear();
    return failover.restart();
  });
}
