// SPDX-License-Identifier: Apache-2.0
#include "reserve/options.h"

#include <CLI/CLI.hpp>

#include "base/units.h"

namespace rackline::reserve {
namespace {

// Nothing at all would be taken for "not given", which means for ever.
const CLI::Validator kNotZero(
    [](const std::string& given) -> std::string {
      return parse_duration(given).count() > 0 ? "" : given + ": that is no time at all";
    },
    "");
const CLI::Validator kNotEmpty(
    [](const std::string& given) -> std::string { return given.empty() ? "it is empty" : ""; }, "");

void declare_times(cli::Program& program, CLI::App& app, Command& command) {
  app.add_option("--from", command.from, "when it begins, now if not given: 2026-11-22T12:00:00Z, 08:00, +2h")
      ->type_name("TIME");
  app.add_option("--until", command.until, "when it ends; not given: it does not")->type_name("TIME");
  program.duration(app, "--for", command.length, "how long it lasts, instead of --until")->check(kNotZero);
}

CLI::Option* text(CLI::App& app, const char* flag, std::string& value, const char* type, const char* about) {
  return app.add_option(flag, value, about)->type_name(type);
}

CLI::App* declare_claim(cli::Program& program, CLI::App& app, Command& command) {
  auto* claim = app.add_subcommand("claim", "reserve a part of a pool, all of it or nothing");
  text(*claim, "POOL", command.pool, "POOL", "pool; - for reservation_request records on stdin")->required();
  text(*claim, "--owner", command.owner, "NAME", "for whom");
  text(*claim, "--amount", command.amount, "AMOUNTS", "how much: cpu=4,memory=16GiB");
  text(*claim, "--id", command.id, "ID", "name for it: repeating the command grants it once");
  declare_times(program, *claim, command);
  text(*claim, "--every", command.every, "RULE", "when it recurs: \"weekdays 8-18\", in local time")
      ->check(kNotEmpty);
  claim->add_option("--priority", command.priority, "who is taken back from last when a lender reclaims")
      ->type_name("N");
  claim->add_option("--tag", command.tags, "word to find it by; may be repeated")
      ->type_name("TAG")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  program.completes(text(*claim, "--vm", command.vm, "VM", "virtual server that it is for, see apply"),
                    cli::Program::Values::kVms);
  program.completes(text(*claim, "--host", command.host, "HOST", "host that it is held on"),
                    cli::Program::Values::kHosts);
  text(*claim, "--limit", command.limit, "AMOUNTS", "most that the virtual server may use, see apply");
  text(*claim, "--headroom", command.headroom, "N+1|AMOUNTS", "what has to stay free after it");
  claim->add_flag("--borrow", command.borrow, "borrow what the pool lacks");
  claim->add_flag("--lendable", command.lendable, "a failover may use it while its owner does not");
  claim->add_flag("--atomic", command.atomic, "of a stream: all of the requests or none");
  return claim;
}

// The verbs that change who holds what; whatif has the same.
void declare_verbs(cli::Program& program, CLI::App& app, Command& command, Verbs& verbs, bool whatif) {
  auto* claim = declare_claim(program, app, command);
  auto* extend = app.add_subcommand("extend", "let a reservation last longer");
  extend->add_option("ID", command.ids, "the reservation")->required()->expected(1);
  text(*extend, "--until", command.until, "TIME", "its new end");
  program.duration(*extend, "--for", command.length, "how much longer")->check(kNotZero);
  extend->add_flag("--forever", command.forever, "it does not end");
  auto* release = app.add_subcommand("release", "end reservations or loans now");
  release->add_option("ID", command.ids, "reservations or loans");
  text(*release, "--owner", command.owner, "NAME", "all of this owner");
  text(*release, "--tag", command.tag, "TAG", "all with this tag");
  auto* borrow = app.add_subcommand("borrow", "let a pool have what another one does not use");
  text(*borrow, "POOL", command.pool, "POOL", "pool that borrows")->required();
  text(*borrow, "--lender", command.lender, "POOL", "from whom; not given: whoever has most idle");
  text(*borrow, "--amount", command.amount, "AMOUNTS", "how much: cpu=4,memory=16GiB")->required();
  text(*borrow, "--owner", command.owner, "NAME", "who asks for it");
  text(*borrow, "--id", command.id, "ID", "name for it: repeating the command borrows once");
  declare_times(program, *borrow, command);
  borrow->add_option("--priority", command.priority, "which is taken back last")->type_name("N");
  auto* reclaim = app.add_subcommand("reclaim", "take back what a pool has lent");
  text(*reclaim, "POOL", command.pool, "POOL", "pool that has lent it")->required();
  text(*reclaim, "--borrower", command.lender, "POOL", "only from this one");
  text(*reclaim, "--amount", command.amount, "AMOUNTS", "at least so much; not given: all");
  program.duration(*reclaim, "--grace", command.grace, "how long the borrowers may keep it");
  verbs.add(claim, Verb::kClaim, whatif);
  verbs.add(extend, Verb::kExtend, whatif);
  verbs.add(release, Verb::kRelease, whatif);
  verbs.add(borrow, Verb::kBorrow, whatif);
  verbs.add(reclaim, Verb::kReclaim, whatif);
}

void declare_pool(cli::Program& program, CLI::App& pool, Command& command, Verbs& verbs, bool whatif) {
  const auto name = [&](CLI::App& app) {
    return text(app, "POOL", command.pool, "POOL", "name of the pool");
  };
  const auto figures = [&](CLI::App& app) {
    name(app)->required();
    app.add_option("--parent", command.parent, "pool that it is a part of")->type_name("POOL");
    text(app, "--capacity", command.capacity, "AMOUNTS", "what it has: cpu=64,memory=512GiB");
    text(app, "--reservation", command.reservation, "AMOUNTS",
         "of a part: what it is guaranteed; claims may take more of what the parent has free");
    text(app, "--limit", command.limit, "AMOUNTS", "most that it may have; cpu=none takes it away");
    text(app, "--shares", command.shares, "N|cpu=N,...", "weight against its siblings");
    text(app, "--overcommit", command.overcommit, "RATIO|cpu=RATIO,...", "how many times it may be granted");
    text(app, "--borrow-limit", command.borrow_limit, "AMOUNTS", "most that it may borrow");
    text(app, "--never-lent", command.never_lent, "AMOUNTS", "part that others never get");
    program.completes(app.add_option("--host", command.hosts, "host that it is made of; may be repeated")
                          ->type_name("HOST")
                          ->expected(1)
                          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll),
                      cli::Program::Values::kHosts);
    text(app, "--headroom", command.headroom, "N+1|AMOUNTS|none", "what every claim has to leave free");
    app.add_flag("--expandable", command.expandable, "claims may take what the parent has free");
    app.add_flag("--fixed", command.fixed, "claims may not");
  };
  auto* add = pool.add_subcommand("add", "add a pool, or a part of one");
  figures(*add);
  auto* set = pool.add_subcommand("set", "change a pool; what is not given stays");
  figures(*set);
  auto* remove = pool.add_subcommand("remove", "remove a pool in which nothing is held");
  name(*remove)->required();
  pool.require_subcommand(1);
  verbs.add(add, Verb::kPoolAdd, whatif);
  verbs.add(set, Verb::kPoolSet, whatif);
  verbs.add(remove, Verb::kPoolRemove, whatif);
  if (whatif) return;
  auto* list = pool.add_subcommand("list", "what the pools have, grant, lend and have free");
  name(*list);
  text(*list, "--at", command.time, "TIME", "at another time than now");
  verbs.add(list, Verb::kPoolList);
}

CLI::App* declare_list(cli::Program& program, CLI::App& app, Command& command) {
  auto* list = app.add_subcommand("list", "who holds what, and who has lent it to whom");
  text(*list, "POOL,--pool", command.pool, "POOL", "of this pool");
  text(*list, "--owner", command.owner, "NAME", "of this owner");
  text(*list, "--tag", command.tag, "TAG", "with this tag");
  program.completes(text(*list, "--vm", command.vm, "VM", "for this virtual server"),
                    cli::Program::Values::kVms);
  text(*list, "--host", command.host, "HOST", "claimed on this host");
  text(*list, "--id", command.id, "ID", "this one, and loans for it");
  program.choice(*list, "--state", command.state,
                 {"pending", "active", "idle", "ended", "released", "reclaimed"}, "in this state");
  text(*list, "--at", command.time, "TIME", "as of another time than now");
  text(*list, "--from", command.from, "TIME", "that hold something after this");
  text(*list, "--until", command.until, "TIME", "that hold something before this");
  list->add_flag("--all", command.all, "those that are over, too");
  list->add_flag("--calendar", command.calendar, "draw it, for a week or from --from until --until");
  return list;
}

}  // namespace

std::pair<Verb, bool> Verbs::given() const {
  for (const auto& each : all_) {
    if (each.app->parsed()) return {each.verb, each.whatif};
  }
  return {Verb::kList, false};
}

Verbs declare(cli::Program& program, Command& command) {
  Verbs verbs;
  program.takes_store();
  program.takes_inventory();
  program.takes_timeout(Milliseconds{5000});
  program.takes_dry_run();
  auto& app = program.app();
  app.add_flag("--accept-clock", command.accept_clock,
               "the clock is right, although the ledger was written at a later time");
  auto* pool = app.add_subcommand("pool", "add, change, remove and list pools");
  declare_pool(program, *pool, command, verbs, false);
  declare_verbs(program, app, command, verbs, false);
  verbs.add(declare_list(program, app, command), Verb::kList);
  verbs.add(app.add_subcommand("check", "add up the whole ledger anew: exit 1 if anything does not hold"),
            Verb::kCheck);
  auto* apply = app.add_subcommand("apply", "make the hypervisors hold what was granted to virtual servers");
  program.completes(text(*apply, "--vm", command.vm, "VM", "only of this one"), cli::Program::Values::kVms);
  verbs.add(apply, Verb::kApply);
  auto* whatif = app.add_subcommand("whatif", "what a command would do; changes nothing");
  auto* changed = whatif->add_subcommand("pool", "add, change and remove pools");
  declare_pool(program, *changed, command, verbs, true);
  declare_verbs(program, *whatif, command, verbs, true);
  whatif->require_subcommand(1);
  app.require_subcommand(1);
  return verbs;
}

}  // namespace rackline::reserve
