// SPDX-License-Identifier: Apache-2.0
// reserve: the reservation desk: who holds how much of what, when, and who has lent it to whom.
#include <CLI/CLI.hpp>

#include "cli/program.h"
#include "reserve/batch.h"
#include "reserve/calendar.h"
#include "reserve/check.h"
#include "reserve/command.h"
#include "reserve/listing.h"

namespace rackline {
namespace {

using reserve::Answer;

class Session {
 public:
  Session(cli::Program& program, const reserve::Command& command, bool planned)
      : program_(program),
        command_(command),
        planned_(planned),
        store_(store::Store::open(program.store_url())),
        desk_(*store_, program.clock(), command.accept_clock) {}

  Status claim() {
    if (command_.pool != "-") {
      const auto granted = act<reserve::Granted>(
          [&](reserve::Ledger& ledger) { return ledger.claim(command_.claim(ledger.now())); });
      return granted ? tell(*granted, now_) : Status::kNo;
    }
    command_.check_stream();
    program_.leaves_threads_behind();
    const bool all = reserve::claim_stream(
        desk_, program_.stdin_reader(record::Policy::kRefuse),
        {.atomic = command_.atomic, .planned = planned_},
        {.pass = [this](const record::Reader& reader) { program_.out().pass(reader); },
         .answer =
             [this](const reserve::BatchAnswer& answer) {
               cause_ = answer.cause;
               if (const auto* granted = std::get_if<reserve::Granted>(&answer.answer)) {
                 tell(*granted, answer.now);
               } else {
                 refuse(std::get<reserve::Refusal>(answer.answer));
               }
             },
         .pool = [this](const reserve::Pool& pool) { records_.add(pool); }});
    return all ? Status::kDone : Status::kNo;
  }

  Status extend() {
    const auto granted = act<reserve::Granted>([&](reserve::Ledger& ledger) {
      return ledger.extend(command_.ids.front(), command_.period(ledger.now()));
    });
    return granted ? tell(*granted, now_) : Status::kNo;
  }

  Status release() {
    Status status = Status::kDone;
    for (const auto& id : command_.ids) {
      const auto ended = act<reserve::Ended>([&](reserve::Ledger& ledger) { return ledger.release(id); });
      if (!ended) {
        status = Status::kNo;
      } else if (ended->claim) {
        tell(reserve::Granted{*ended->claim, ended->outcome, {}}, now_);
      } else {
        tell(*ended->loan, ended->outcome);
      }
    }
    return status;
  }

  Status borrow() {
    const auto lent = act<reserve::Lent>(
        [&](reserve::Ledger& ledger) { return ledger.borrow(command_.loan(ledger.now())); });
    if (!lent) return Status::kNo;
    for (const auto& loan : lent->loans) tell(loan, lent->outcome);
    return Status::kDone;
  }

  Status reclaim() {
    const auto reclaimed =
        act<reserve::Reclaimed>([&](reserve::Ledger& ledger) { return ledger.reclaim(command_.reclaim()); });
    if (!reclaimed) return Status::kNo;
    for (const auto& hit : reclaimed->hits) put(records_.hit(hit));
    return Status::kDone;
  }

  Status pool(Answer<reserve::PoolAnswer> (reserve::Ledger::*verb)(const reserve::PoolRequest&)) {
    const auto answer = act<reserve::PoolAnswer>(
        [&](reserve::Ledger& ledger) { return (ledger.*verb)(command_.pool_request()); });
    return answer ? tell(*answer) : Status::kNo;
  }
  Status remove_pool() {
    const auto answer =
        act<reserve::PoolAnswer>([&](reserve::Ledger& ledger) { return ledger.remove_pool(command_.pool); });
    return answer ? tell(*answer) : Status::kNo;
  }

  Status list_pools() {
    bool found = false;
    desk_.look([&](reserve::Ledger& ledger) {
      const auto at = command_.at(ledger.now());
      for (const auto& pool : reserve::all_pools(*store_)) {
        if (!command_.pool.empty() && pool.name != command_.pool) continue;
        found = true;
        for (const auto& [name, about] : pool.resources) {
          put(records_.share(pool, name, ledger.state(pool, name, at)));
        }
      }
    });
    if (!found && !command_.pool.empty()) program_.warn("list: there is no pool " + command_.pool);
    return found || command_.pool.empty() ? Status::kDone : Status::kNo;
  }

  Status list() {
    records_ = reserve::Records(reserve::all_pools(*store_));
    const auto filter = command_.filter(desk_.clock());
    const auto now = command_.at(desk_.clock());
    if (command_.calendar) {
      for (const auto& row : reserve::calendar(*store_, desk_, filter, command_.window(now))) put(row);
      return Status::kDone;
    }
    reserve::list(*store_, filter, now,
                  {.claim =
                       [&](const reserve::Claim& claim) {
                         auto record = records_.reservation(claim, now);
                         if (command_.wants(record.state)) put(record);
                       },
                   .loan =
                       [&](const reserve::Loan& loan) {
                         const auto record = records_.loan(loan, now);
                         if (command_.wants(record.state)) put(record);
                       }});
    return Status::kDone;
  }

  Status check() {
    const auto result = reserve::check(*store_, [this](const record::LedgerFault& fault) { put(fault); });
    put(result);
    return result.sound ? Status::kDone : Status::kNo;
  }

 private:
  // One verb in one transaction. Nothing when it was refused, which has been told.
  template <class T>
  std::optional<T> act(const std::function<Answer<T>(reserve::Ledger&)>& verb) {
    std::optional<Answer<T>> answer;
    const auto work = [&](reserve::Ledger& ledger) {
      answer = verb(ledger);
      now_ = ledger.now();
      return std::holds_alternative<T>(*answer);
    };
    if (planned_) {
      desk_.look(work);
    } else {
      desk_.run(work);
    }
    records_ = reserve::Records(reserve::all_pools(*store_));
    if (const auto* refusal = std::get_if<reserve::Refusal>(&*answer)) {
      refuse(*refusal);
      return std::nullopt;
    }
    return std::get<T>(std::move(*answer));
  }

  template <class K>
  void put(K record) {
    if constexpr (requires { record.planned; }) {
      if (planned_) record.planned = true;
    }
    if constexpr (requires { record.cause; }) record.cause = cause_;
    program_.out().write(record);
  }

  void refuse(const reserve::Refusal& refusal) {
    put(records_.refused(refusal));
    program_.warn(refusal.request + ": " + (refusal.pool.empty() ? refusal.id : refusal.pool) + ": " +
                  refusal.reason);
  }

  Status tell(const reserve::Granted& granted, reserve::Second now) {
    put(records_.reservation(granted, now));
    for (const auto& loan : granted.loans) tell(loan, granted.outcome == "already" ? "already" : "granted");
    return Status::kDone;
  }
  void tell(const reserve::Loan& loan, const std::string& outcome) {
    auto record = records_.loan(loan, now_ == 0 ? desk_.clock() : now_);
    record.outcome = outcome;
    put(record);
  }
  Status tell(const reserve::PoolAnswer& answer) {
    for (const auto& [name, about] : answer.pool.resources) {
      auto record = records_.share(answer.pool, name);
      record.outcome = answer.outcome;
      put(record);
    }
    return Status::kDone;
  }

  cli::Program& program_;
  const reserve::Command& command_;
  bool planned_;
  std::unique_ptr<store::Store> store_;
  reserve::Desk desk_;
  reserve::Records records_;
  record::Text cause_;
  reserve::Second now_ = 0;
};

void declare_times(cli::Program& program, CLI::App& app, reserve::Command& command) {
  app.add_option("--from", command.from, "when it begins, now if not given: 2026-11-22T12:00:00Z, 08:00, +2h")
      ->type_name("TIME");
  app.add_option("--until", command.until, "when it ends; not given: it does not")->type_name("TIME");
  program.duration(app, "--for", command.length, "how long it lasts, instead of --until");
}

CLI::Option* text(CLI::App& app, const char* flag, std::string& value, const char* type, const char* about) {
  return app.add_option(flag, value, about)->type_name(type);
}

CLI::App* declare_claim(cli::Program& program, CLI::App& app, reserve::Command& command) {
  auto* claim = app.add_subcommand("claim", "reserve a part of a pool, all of it or nothing");
  text(*claim, "POOL", command.pool, "POOL", "pool; - for reservation_request records on stdin")->required();
  text(*claim, "--owner", command.owner, "NAME", "for whom");
  text(*claim, "--amount", command.amount, "AMOUNTS", "how much: cpu=4,memory=16GiB");
  text(*claim, "--id", command.id, "ID", "name for it: repeating the command grants it once");
  declare_times(program, *claim, command);
  text(*claim, "--every", command.every, "RULE", "when it recurs: \"weekdays 8-18\", in local time");
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

struct Verbs {
  CLI::App *claim, *extend, *release, *borrow, *reclaim;
};

// The verbs that change who holds what; whatif has the same.
Verbs declare_verbs(cli::Program& program, CLI::App& app, reserve::Command& command) {
  Verbs verbs{};
  verbs.claim = declare_claim(program, app, command);
  verbs.extend = app.add_subcommand("extend", "let a reservation last longer");
  verbs.extend->add_option("ID", command.ids, "the reservation")->required()->expected(1);
  text(*verbs.extend, "--until", command.until, "TIME", "its new end; not given: it does not end");
  program.duration(*verbs.extend, "--for", command.length, "how much longer");
  verbs.release = app.add_subcommand("release", "end reservations or loans now");
  verbs.release->add_option("ID", command.ids, "reservations or loans")->required();
  verbs.borrow = app.add_subcommand("borrow", "let a pool have what another one does not use");
  text(*verbs.borrow, "POOL", command.pool, "POOL", "pool that borrows")->required();
  text(*verbs.borrow, "--lender", command.lender, "POOL", "from whom; not given: whoever has most idle");
  text(*verbs.borrow, "--amount", command.amount, "AMOUNTS", "how much: cpu=4,memory=16GiB")->required();
  text(*verbs.borrow, "--owner", command.owner, "NAME", "who asks for it");
  text(*verbs.borrow, "--id", command.id, "ID", "name for it: repeating the command borrows once");
  declare_times(program, *verbs.borrow, command);
  verbs.borrow->add_option("--priority", command.priority, "which is taken back last")->type_name("N");
  verbs.reclaim = app.add_subcommand("reclaim", "take back what a pool has lent");
  text(*verbs.reclaim, "POOL", command.pool, "POOL", "pool that has lent it")->required();
  text(*verbs.reclaim, "--borrower", command.lender, "POOL", "only from this one");
  text(*verbs.reclaim, "--amount", command.amount, "AMOUNTS", "at least so much; not given: all");
  program.duration(*verbs.reclaim, "--grace", command.grace, "how long the borrowers may keep it");
  return verbs;
}

struct PoolVerbs {
  CLI::App *add, *set, *remove, *list;
};

PoolVerbs declare_pool(cli::Program& program, CLI::App& pool, reserve::Command& command) {
  PoolVerbs verbs{};
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
  figures(*(verbs.add = pool.add_subcommand("add", "add a pool, or a part of one")));
  figures(*(verbs.set = pool.add_subcommand("set", "change a pool; what is not given stays")));
  name(*(verbs.remove = pool.add_subcommand("remove", "remove a pool in which nothing is held")))->required();
  name(*(verbs.list = pool.add_subcommand("list", "what the pools have, grant, lend and have free")));
  text(*verbs.list, "--at", command.time, "TIME", "at another time than now");
  pool.require_subcommand(1);
  return verbs;
}

CLI::App* declare_list(cli::Program& program, CLI::App& app, reserve::Command& command) {
  auto* list = app.add_subcommand("list", "who holds what, and who has lent it to whom");
  text(*list, "--pool", command.pool, "POOL", "of this pool");
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
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "reserve",
       .nature = cli::Nature::kKeep,
       .summary = "the reservation desk: who holds how much of what, and when",
       .description = "Keeps pools, claims and loans in a ledger, in which nothing is granted twice.",
       .examples = {
           {"reserve pool add rack1 --capacity cpu=64,memory=512GiB", "what there is"},
           {"reserve pool add web --parent rack1 --capacity cpu=16,memory=64GiB", "a guaranteed part of it"},
           {"reserve claim rack1 --owner web --amount cpu=4,memory=16GiB",
            "exit 0: granted; 1: refused, why"},
           {"reserve claim rack1 --owner ci --amount cpu=8 --every \"weekdays 8-18\" --for 90d", "recurring"},
           {"reserve borrow db --lender web --amount cpu=8 --for 2h", "what web has and does not use"},
           {"reserve whatif reclaim web", "whom it would hit"},
           {"reserve list --calendar", "who holds what when"}}});
  reserve::Command command;
  program.takes_store();
  program.takes_dry_run();
  auto& app = program.app();
  app.add_flag("--accept-clock", command.accept_clock,
               "the clock is right, although the ledger was written at a later time");
  auto* pool = app.add_subcommand("pool", "add, change, remove and list pools");
  const PoolVerbs pools = declare_pool(program, *pool, command);
  const Verbs verbs = declare_verbs(program, app, command);
  auto* list = declare_list(program, app, command);
  auto* check = app.add_subcommand("check", "add up the whole ledger anew: exit 1 if anything does not hold");
  auto* whatif = app.add_subcommand("whatif", "what a command would do; changes nothing");
  const Verbs trial = declare_verbs(program, *whatif, command);
  whatif->require_subcommand(1);
  app.require_subcommand(1);

  return program.run(argc, argv, [&] {
    Session session(program, command, program.dry_run() || *whatif);
    if (*pools.add) return session.pool(&reserve::Ledger::add_pool);
    if (*pools.set) return session.pool(&reserve::Ledger::set_pool);
    if (*pools.remove) return session.remove_pool();
    if (*pools.list) return session.list_pools();
    if (*verbs.claim || *trial.claim) return session.claim();
    if (*verbs.extend || *trial.extend) return session.extend();
    if (*verbs.release || *trial.release) return session.release();
    if (*verbs.borrow || *trial.borrow) return session.borrow();
    if (*verbs.reclaim || *trial.reclaim) return session.reclaim();
    if (*list) return session.list();
    if (*check) return session.check();
    return Status::kDone;
  });
}
