// SPDX-License-Identifier: Apache-2.0
// failover: restarts the virtual servers of hosts that are proven to be off, and keeps what it needs for
// that.
#include <functional>
#include <map>
#include <ranges>
#include <vector>

#include "base/interrupt.h"
#include "base/joined.h"
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

[[noreturn]] void misused(const std::string& what, const std::string& why) {
  throw Error(Status::kUsage, "read the command line", what, why);
}

void check_protect(Options& options) {
  auto& wishes = options.wishes;
  if (!options.standing.empty()) wishes.standing = options.standing == "on";
  if (wishes.vms.empty() && !wishes.all && wishes.standing != false)
    misused("protect", "expected virtual servers, or --all");
  if (wishes.standing == true && !wishes.all) misused("protect", "--standing goes with --all");
  if (!wishes.except.empty() && !wishes.all) misused("protect", "--except goes with --all");
  const auto wished = given(wishes);
  for (const auto& wish : wishes.without) {
    const auto known = wished.find(wish);
    if (known == wished.end()) misused("--without", "expected some of " + joined(std::views::keys(wished)));
    if (known->second) misused("--without", "--" + wish + " is given as well");
  }
}

void declare(cli::Options at, Options& options) {
  const auto limit = [&](const char* flag, int& value, double most, const char* about) {
    at.number(flag, value, about, {.least = 1, .most = most}).shows_default();
  };
  limit("--max-total", options.policy.max_total, 1000, "starts at one time in all");
  // libvirtd works on five requests of one client at a time, and looking is one.
  limit("--max-per-host", options.policy.max_per_host, 4, "starts at one time on one host");
  limit("--attempts", options.policy.attempts, 1000, "starts of one virtual server, each on another host");
  at.duration("--verify-timeout", options.policy.verify_timeout, "how long a start and its proof may take");
  at.flag("--resume", options.resume, "read nothing; finish the work of all hosts that are fenced");
}

void declare_protect(cli::Options at, Options& options) {
  auto& wishes = options.wishes;
  at.operands("VM", wishes.vms, "virtual servers").offers(cli::Values::kVms);
  at.number("--priority", wishes.priority, "restart priority, higher first");
  const auto name_of_something = [](const std::string& text) {
    return text.empty() ? "expected a name; --without takes one away" : "";
  };
  at.list("--after", wishes.after, "has to run before them; may be repeated", "VM")
      .checked(name_of_something)
      .offers(cli::Values::kVms);
  at.text("--anti-affinity", wishes.anti_affinity, "no two of this group on one host", "GROUP")
      .checked(name_of_something);
  at.comma_list("--prefer", wishes.affinity.prefer, "where they are to be, the best one first", "HOST,...")
      .offers(cli::Values::kHosts);
  at.flag("--only", wishes.affinity.only, "they are started on no other hosts than these");
  at.text("--together", wishes.affinity.together, "all of this group on one host", "GROUP")
      .checked(name_of_something);
  at.flag("--failback", wishes.affinity.failback,
          "failover failback moves them back to a better host that serves again");
  at.text("--check", wishes.check, "how they prove that they serve: tcp:ADDRESS:PORT", "CHECK")
      .checked(
          [](const std::string& text) { return ha::parse_check(text) ? "" : "expected tcp:ADDRESS:PORT"; });
  std::vector<std::string> wish_names;
  for (const auto& [name, is_given] : given({})) wish_names.push_back(name);
  at.comma_list("--without", wishes.without, "take these wishes away again, such as after or check",
                "WISH,...")
      .offers(wish_names);
  at.flag("--all", wishes.all, "every virtual server of every host");
  at.list("--except", wishes.except, "with --all: not this one; may be repeated", "VM")
      .offers(cli::Values::kVms);
  at.choice("--standing", options.standing, {"on", "off"},
            "with --all: and each that comes later, until --standing off")
      .may_lack_value("on");
}

void declare_commands(cli::Options at, cli::Program& program, Options& options) {
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
        if (options.all != options.host.empty()) misused("drill", "expected a host, or --all");
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
  declare(program.options(), options);
  declare_commands(program.options(), program, options);
  return program.run(argc, argv, [&] { return Failover(program, options).restart(); });
}
