// SPDX-License-Identifier: Apache-2.0
#include "failover/commands.h"

#include <functional>

#include "base/interrupt.h"
#include "base/joined.h"
#include "base/person.h"
#include "bmc/method.h"
#include "cli/program.h"
#include "cluster/announce.h"
#include "cluster/disarm.h"
#include "failover/clear.h"
#include "failover/coverage.h"
#include "failover/failback.h"
#include "failover/fenced_feed.h"
#include "failover/protect.h"
#include "failover/recovery.h"
#include "failover/recovery_stream.h"
#include "failover/standing.h"
#include "store/store.h"

namespace rackline::failover {
namespace {

class Failover {
 public:
  Failover(cli::Program& program, Options& options)
      : program_(program), options_(options), inventory_(program.inventory()) {
    program.leaves_threads_behind();
    options_.policy.timeout = program.timeout();
    options_.policy.dry_run = program.dry_run();
    // Two hosts with one power switch are refused: the proof of one could be the other's power.
    bmc::fence_methods(inventory_, bmc::read_fence_methods(program.inventory_file()), {});
    cluster_ = libvirt_cluster(inventory_);
    store_ = store::Store::open(program.store_url());
    protector_.emplace(inventory_, *cluster_, *store_, program.clock(), program.timeout(), program.dry_run(),
                       protector_hooks());
    coverage_.emplace(*store_, *protector_, program.dry_run(), coverage_hooks());
  }

  Status restart() {
    program_.out().tell_when();
    FencedFeed* news = nullptr;
    auto recovery = this->recovery([&news] { return news != nullptr && news->has_news(); });
    if (options_.resume) {
      recovery.settle();
      recovery.resume();
      coverage_->name();
      return finish(recovery);
    }
    const std::shared_ptr<record::Reader> reader = program_.stdin_reader(record::Policy::kRefuse);
    FencedFeed feed(reader, program_.clock(),
                    [this](const record::Reader& read) { program_.out().pass(read); });
    RecoveryStream stream(
        recovery, feed, program_.clock(),
        {.accepted = [this](const record::HostFenced& fenced) { coverage_->fenced(fenced.host), flush(); },
         .looked = [this](const View& seen) { coverage_->saw(seen), coverage_->keep_up(), flush(); },
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
    const auto plan =
        failover::failback(inventory_, *cluster_, *store_, program_.clock(), program_.timeout());
    for (const auto& move : plan.moves) program_.out().write(move);
    for (const auto& [vm, why] : plan.stay) program_.warn(vm + " stays where it is: " + why);
    return plan.stay.empty() ? Status::kDone : Status::kNo;
  }

  Status drill() {
    auto recovery = this->recovery();
    if (options_.all) {
      recovery.drill_all([this](const record::HostDrill& record) { told(record); });
      if (!hurting_.empty())
        program_.warn("the death of " + joined(hurting_) + " would leave servers without place");
    } else {
      recovery.drill(options_.host);
    }
    coverage_->name();
    return finish(recovery, true);
  }

  Status protect() {
    const auto held = lock();
    require_private(program_.store_url());
    options_.wishes.by = this_person();
    return protector_->protect(options_.wishes);
  }
  Status refresh() {
    const auto held = lock();
    require_private(program_.store_url());
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
    const auto record = failover::clear(
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
    if (record.outcome == "hurts") hurting_.push_back(record.host);
  }

  Recovery recovery(std::function<bool()> urgent = {}) {
    return {options_.policy,
            inventory_,
            *cluster_,
            *store_,
            program_.clock(),
            probe::probe,
            {.restarted = [this](const record::VmRestarted& record) { program_.out().write(record); },
             .not_restarted = [this](const record::VmNotRestarted& record) { program_.out().write(record); },
             .warn = [this](const std::string& text) { program_.warn(text); },
             .call_person = [this](const std::string& text) { program_.call_person(text); },
             .looked = [this](const View& view) { coverage_->saw(view); },
             .urgent = std::move(urgent)}};
  }

  UnprotectedWatch::Hooks coverage_hooks() {
    return {.found = [this](const record::VmUnprotected& record) { program_.out().write(record); },
            .warn = [this](const std::string& text) { program_.warn(text); }};
  }

  Protector::Hooks protector_hooks() {
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

  Status finish(const Recovery& recovery) { return finish(recovery, program_.dry_run()); }
  Status finish(const Recovery& recovery, bool only_planned) {
    recovery.tell(program_.end(), only_planned);
    return recovery.status();
  }

  cli::Program& program_;
  Options& options_;
  std::vector<record::Host> inventory_;
  std::unique_ptr<RecoveryCluster> cluster_;
  std::unique_ptr<store::Store> store_;
  std::optional<Protector> protector_;
  std::optional<Coverage> coverage_;
  std::vector<std::string> hurting_;
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
  for (const auto& vm : protected_vms(*store)) program.out().write(record_of(vm));
  if (const auto rule = standing_rule(*store)) program.out().write(record_of(*rule));
  return Status::kDone;
}

}  // namespace

void declare_commands(cli::Program& program, Options& options) {
  auto& at = program.options();
  const auto with = [&](Status (Failover::*verb)()) {
    return [&program, &options, verb] { return (Failover(program, options).*verb)(); };
  };
  at.command_is_optional();
  declare_protect(at.command("protect", "keep what is needed to restart these virtual servers",
                             [&program, &options] {
                               check_protect(options);
                               return Failover(program, options).protect();
                             }),
                  options);
  at.command("refresh", "read host, definition and state of the protected ones again",
             with(&Failover::refresh));
  at.command("unprotect", "forget these virtual servers", with(&Failover::unprotect))
      .operands("VM", options.vms, "virtual servers")
      .required()
      .offers(cli::Values::kVms);
  auto want = at.command("want", "whether a protected one is to run, or to stay off", with(&Failover::want));
  want.operand("VM", options.vm, "virtual server").required().offers(cli::Values::kVms);
  want.choice("STATE", options.wanted, {"running", "stopped"}, "what is wanted").required();
  at.command("list", "what is protected, and where it was seen when", [&program] { return list(program); });
  at.command("keep", "start what is protected, should run, and is off on living hosts",
             with(&Failover::keep));
  auto drill =
      at.command("drill", "what would happen if a host died now; changes nothing", [&program, &options] {
        if (options.all != options.host.empty())
          throw Error(Status::kUsage, "read the command line", "drill", "expected a host, or --all");
        return Failover(program, options).drill();
      });
  drill.operand("HOST", options.host, "host that is taken for dead").offers(cli::Values::kHosts);
  drill.flag("--all", options.all, "each host in turn; exit 1 if one leaves a server without place");
  auto clear = at.command("clear", "take a fenced host back that has returned", with(&Failover::clear));
  clear.operand("HOST", options.host, "host that has returned").required().offers(cli::Values::kHosts);
  clear.flag("--destroy-stale", options.destroy_stale,
             "end a copy there that runs although its place is elsewhere");
  at.command("failback", "decide for migrate: who goes back to a host that it prefers",
             with(&Failover::failback));
  auto disarming = at.command("disarm", "fence switches and failover starts nothing by itself any more",
                              [&program, &options] { return disarm(program, options); });
  disarming.text("--until", options.until, "it is armed again from this time on, or after so long",
                 "TIME|DURATION");
  disarming.text("--reason", options.reason, "why, for whoever asks", "TEXT");
  at.command("arm", "the cluster heals itself again", [&program] { return arm(program); });
}

Status restart(cli::Program& program, Options& options) {
  return Failover(program, options).restart();
}

}  // namespace rackline::failover
