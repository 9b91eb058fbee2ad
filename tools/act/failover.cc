// SPDX-License-Identifier: Apache-2.0
// failover: restarts the virtual servers of hosts that are proven to be off, and keeps what it needs for
// that.
#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <vector>

#include "base/interrupt.h"
#include "base/person.h"
#include "cli/program.h"
#include "cluster/announce.h"
#include "cluster/disarm.h"
#include "ha/clear.h"
#include "ha/coverage.h"
#include "ha/failback.h"
#include "ha/fence_method.h"
#include "ha/fenced_feed.h"
#include "ha/protect.h"
#include "ha/recovery.h"
#include "ha/recovery_stream.h"
#include "ha/standing.h"
#include "store/store.h"

namespace rackline {
namespace {

struct Options {
  ha::RecoveryPolicy policy;
  ha::Wishes wishes;
  std::vector<std::string> vms;
  std::string host, vm, wanted, standing, reason, until;
  bool all = false;
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
    protector_.emplace(inventory_, *cluster_, *store_, program.clock(), program.timeout(), program.dry_run(),
                       protector_hooks());
    coverage_.emplace(*store_, *protector_, program.dry_run(), coverage_hooks());
  }

  Status restart() {
    program_.out().tell_when();
    ha::FencedFeed* news = nullptr;
    auto recovery = this->recovery([&news] { return news != nullptr && news->has_news(); });
    if (options_.resume) {
      recovery.settle();
      recovery.resume();
      coverage_->name();
      return finish(recovery);
    }
    const std::shared_ptr<record::Reader> reader = program_.stdin_reader(record::Policy::kRefuse);
    ha::FencedFeed feed(reader, program_.clock(),
                        [this](const record::Reader& read) { program_.out().pass(read); });
    ha::RecoveryStream stream(
        recovery, feed, program_.clock(),
        {.accepted = [this](const record::HostFenced& fenced) { coverage_->fenced(fenced.host), flush(); },
         .looked = [this](const ha::View& seen) { coverage_->saw(seen), coverage_->keep_up(), flush(); },
         .warn = [this](const std::string& text) { program_.warn(text); }});
    news = &feed;
    stream.run();
    const Status status = finish(recovery);
    if (interrupt::requested()) return status;
    if (reader->complete()) return after(*reader, status);
    throw Error(Status::kUsage, "read records", "stdin", "it ended without an end record: its producer died",
                "what had been read was carried out");
  }

  Status keep() {
    auto recovery = this->recovery();
    recovery.settle();
    if (!recovery.keep())
      throw Error(Status::kBusy, "keep", program_.store_url(), "another failover is at work");
    recovery.collect(true);
    coverage_->keep_up();
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
    if (options_.all) {
      recovery.drill_all([this](const record::HostDrill& record) { told(record); });
      if (!hurting_.empty()) program_.warn("the death of " + hurting_ + " would leave servers without place");
    } else {
      recovery.drill(options_.host);
    }
    coverage_->name();
    return finish(recovery, true);
  }

  Status protect() {
    const auto held = lock();
    ha::require_private(program_.store_url());
    options_.wishes.by = this_person();
    return protector_->protect(options_.wishes);
  }
  Status refresh() {
    const auto held = lock();
    ha::require_private(program_.store_url());
    return protector_->refresh();
  }
  Status unprotect() {
    const auto held = lock();
    return protector_->unprotect(options_.vms);
  }
  Status want() {
    const auto held = lock();
    return protector_->want(options_.vm, options_.wanted == "running");
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
  // A pipe that was told of no proof, as fence has failed, has not done what it was asked for.
  Status after(const record::Reader& reader, Status status) {
    const auto& end = *reader.end();
    if (status != Status::kDone || (end.outcome != "failed" && end.outcome != "refused")) return status;
    program_.warn("restart: " + end.tool + " ended with outcome " + end.outcome +
                  (end.reason ? ": " + *end.reason : "") + "; nothing is left that could be restarted");
    return Status::kNo;
  }

  void flush() { program_.out().flush(); }

  void told(const record::HostDrill& record) {
    program_.out().write(record);
    if (record.outcome == "hurts") hurting_ += (hurting_.empty() ? "" : ", ") + record.host;
  }

  ha::Recovery recovery(std::function<bool()> urgent = {}) {
    return {options_.policy,
            inventory_,
            *cluster_,
            *store_,
            program_.clock(),
            ha::probe_tcp,
            {.restarted = [this](const record::VmRestarted& record) { program_.out().write(record); },
             .not_restarted = [this](const record::VmNotRestarted& record) { program_.out().write(record); },
             .warn = [this](const std::string& text) { program_.warn(text); },
             .looked = [this](const ha::View& view) { coverage_->saw(view); },
             .urgent = std::move(urgent)}};
  }

  ha::UnprotectedWatch::Hooks coverage_hooks() {
    return {.found = [this](const record::VmUnprotected& record) { program_.out().write(record); },
            .warn = [this](const std::string& text) { program_.warn(text); }};
  }

  ha::Protector::Hooks protector_hooks() {
    return {.stored = [this](const record::VmProtected& record) { program_.out().write(record); },
            .ruled = [this](const record::ProtectionRule& record) { program_.out().write(record); },
            .warn = [this](const std::string& text) { program_.warn(text); },
            .note = [this](const std::string& text) { program_.note(text); }};
  }

  std::optional<store::Lock> lock() {
    if (program_.dry_run()) return std::nullopt;
    auto held = store_->lock("failover", program_.clock(),
                             program_.clock().monotonic() + options_.policy.lock_timeout);
    if (!held) throw Error(Status::kBusy, "begin", program_.store_url(), "another failover is at work");
    return held;
  }

  Status finish(const ha::Recovery& recovery) { return finish(recovery, program_.dry_run()); }
  Status finish(const ha::Recovery& recovery, bool only_planned) {
    const auto summary = recovery.summary();
    auto& end = program_.end();
    (only_planned ? end.planned : end.done) = summary.planned + summary.done;
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
  std::optional<ha::Protector> protector_;
  std::optional<ha::Coverage> coverage_;
  std::string hurting_;
};

Status disarm(cli::Program& program, const Options& options) {
  const auto now = program.clock().wall();
  cluster::DisarmMark mark{options.reason, now, this_person(), {}};
  if (!options.until.empty()) mark.until = cluster::parse_until(options.until, now);
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
  if (const auto rule = ha::standing_rule(*store)) program.out().write(ha::record_of(*rule));
  return Status::kDone;
}

// The wishes that can be taken away again, and whether each is given.
std::map<std::string, bool> given(const ha::Wishes& wishes) {
  return {{"after", !wishes.after.empty()},
          {"anti-affinity", wishes.anti_affinity.has_value()},
          {"check", wishes.check.has_value()},
          {"failback", wishes.affinity.failback},
          {"only", wishes.affinity.only},
          {"prefer", !wishes.affinity.prefer.empty()},
          {"together", wishes.affinity.together.has_value()}};
}

void check(Options& options, bool protect, bool drill) {
  auto& wishes = options.wishes;
  const auto refuse = [](const char* verb, const char* why) {
    throw Error(Status::kUsage, "read the command line", verb, why);
  };
  if (protect && !options.standing.empty()) wishes.standing = options.standing == "on";
  const bool off = wishes.standing == false;
  if (protect && wishes.vms.empty() && !wishes.all && !off)
    refuse("protect", "expected virtual servers, or --all");
  if (protect && wishes.standing == true && !wishes.all) refuse("protect", "--standing goes with --all");
  if (protect && !wishes.except.empty() && !wishes.all) refuse("protect", "--except goes with --all");
  if (drill && options.all != options.host.empty()) refuse("drill", "expected a host, or --all");
  const auto wished = given(wishes);
  for (const auto& wish : wishes.without) {
    const auto known = wished.find(wish);
    std::string names;
    for (const auto& [name, is_given] : wished) names += (names.empty() ? "" : ", ") + name;
    if (known == wished.end()) refuse("--without", ("expected some of " + names).c_str());
    if (known->second) refuse("--without", ("--" + wish + " is given as well").c_str());
  }
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
           {"failover protect --all --standing", "protect what there is, and what comes later"},
           {"failover drill h3", "what would happen if h3 died now"},
           {"failover drill --all", "of which host would the death leave servers without place"},
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
  const auto name_of_something = [](const std::string& given) {
    return given.empty() ? "expected a name; --without takes one away" : "";
  };
  // One value each: VM operands may follow.
  program.completes(protect->add_option("--after", wishes.after, "has to run before them; may be repeated")
                        ->check(name_of_something)
                        ->type_name("VM")
                        ->expected(1)
                        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll),
                    cli::Program::Values::kVms);
  protect->add_option("--anti-affinity", wishes.anti_affinity, "no two of this group on one host")
      ->check(name_of_something)
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
      ->check(name_of_something)
      ->type_name("GROUP");
  protect->add_flag("--failback", wishes.affinity.failback,
                    "failover failback moves them back to a better host that serves again");
  protect->add_option("--check", wishes.check, "how they prove that they serve: tcp:ADDRESS:PORT")
      ->type_name("CHECK")
      ->check(
          [](const std::string& given) { return ha::parse_check(given) ? "" : "expected tcp:ADDRESS:PORT"; });
  std::vector<std::string> wish_names;
  for (const auto& [name, is_given] : given({})) wish_names.push_back(name);
  program.completes(
      protect->add_option("--without", wishes.without, "take these wishes away again, such as after or check")
          ->type_name("WISH,...")
          ->delimiter(',')
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll),
      wish_names);
  protect->add_flag("--all", wishes.all, "every virtual server of every host");
  program.completes(
      protect->add_option("--except", wishes.except, "with --all: not this one; may be repeated")
          ->type_name("VM")
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll),
      cli::Program::Values::kVms);
  program
      .choice(*protect, "--standing", options.standing, {"on", "off"},
              "with --all: and each that comes later, until --standing off")
      ->expected(0, 1)
      ->default_str("on");
  auto* refresh =
      app.add_subcommand("refresh", "read host, definition and state of the protected ones again");
  auto* unprotect = app.add_subcommand("unprotect", "forget these virtual servers");
  vms_of(unprotect, options.vms)->required();
  auto* want = app.add_subcommand("want", "whether a protected one is to run, or to stay off");
  program.completes(want->add_option("VM", options.vm, "virtual server")->required(),
                    cli::Program::Values::kVms);
  program.choice(*want, "STATE", options.wanted, {"running", "stopped"}, "what is wanted")->required();
  auto* list_command = app.add_subcommand("list", "what is protected, and where it was seen when");
  const auto host_of = [&](CLI::App* command, const char* text) {
    program.completes(command->add_option("HOST", options.host, text)->required(),
                      cli::Program::Values::kHosts);
  };
  auto* keep = app.add_subcommand("keep", "start what is protected, should run, and is off on living hosts");
  auto* drill = app.add_subcommand("drill", "what would happen if a host died now; changes nothing");
  program.completes(drill->add_option("HOST", options.host, "host that is taken for dead"),
                    cli::Program::Values::kHosts);
  drill->add_flag("--all", options.all, "each host in turn; exit 1 if one leaves a server without place");
  auto* clear = app.add_subcommand("clear", "take a fenced host back that has returned");
  host_of(clear, "host that has returned");
  clear->add_flag("--destroy-stale", options.destroy_stale,
                  "end a copy there that runs although its place is elsewhere");
  auto* failback_command =
      app.add_subcommand("failback", "decide for migrate: who goes back to a host that it prefers");
  auto* disarm_command =
      app.add_subcommand("disarm", "fence switches and failover starts nothing by itself any more");
  disarm_command
      ->add_option("--until", options.until, "it is armed again from this time on, or after so long")
      ->type_name("TIME|DURATION");
  disarm_command->add_option("--reason", options.reason, "why, for whoever asks")->type_name("TEXT");
  auto* arm_command = app.add_subcommand("arm", "the cluster heals itself again");
  app.require_subcommand(0, 1);

  return program.run(argc, argv, [&] {
    if (list_command->parsed()) return list(program);
    if (disarm_command->parsed()) return disarm(program, options);
    if (arm_command->parsed()) return arm(program);
    check(options, protect->parsed(), drill->parsed());
    Failover failover(program, options);
    if (protect->parsed()) return failover.protect();
    if (refresh->parsed()) return failover.refresh();
    if (unprotect->parsed()) return failover.unprotect();
    if (want->parsed()) return failover.want();
    if (keep->parsed()) return failover.keep();
    if (failback_command->parsed()) return failover.failback();
    if (drill->parsed()) return failover.drill();
    if (clear->parsed()) return failover.clear();
    return failover.restart();
  });
}
