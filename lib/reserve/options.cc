// SPDX-License-Identifier: Apache-2.0
#include "reserve/options.h"

#include "base/units.h"

namespace rackline::reserve {
namespace {

constexpr const char* kAmounts = "AMOUNTS";

// Nothing at all would be taken for "not given", which means for ever.
std::string why_no_length(const std::string& given) {
  return parse_duration(given).count() > 0 ? "" : given + ": that is no time at all";
}

// Declares the verbs, as they are and once more below whatif.
class Verbs {
 public:
  Verbs(Command& command, const Act& act, bool whatif) : command_(command), act_(act), whatif_(whatif) {}

  void changes(cli::Options at) {
    claim(verb(at, "claim", "reserve a part of a pool, all of it or nothing", Verb::kClaim));
    auto extend = verb(at, "extend", "let a reservation last longer", Verb::kExtend);
    extend.operands("ID", command_.ids, "the reservation").required().takes(1, 1);
    extend.text("--until", command_.until, "its new end", "TIME");
    extend.duration("--for", command_.length, "how much longer").checked(why_no_length);
    extend.flag("--forever", command_.forever, "it does not end");
    change(verb(at, "change", "change when or how much a reservation holds", Verb::kChange));
    auto release = verb(at, "release", "end reservations or loans now", Verb::kRelease);
    release.operands("ID", command_.ids, "reservations or loans");
    release.text("--owner", command_.owner, "all of this owner", "NAME");
    release.text("--tag", command_.tag, "all with this tag", "TAG");
    borrow(verb(at, "borrow", "let a pool have what another one does not use", Verb::kBorrow));
    auto reclaim = verb(at, "reclaim", "take back what a pool has lent", Verb::kReclaim);
    reclaim.operand("POOL", command_.pool, "pool that has lent it", "POOL").required();
    reclaim.text("--borrower", command_.lender, "only from this one", "POOL");
    reclaim.text("--amount", command_.amount, "at least so much; not given: all", kAmounts);
    reclaim.flag("--part", command_.part, "no more than --amount: of a loan that is larger only a part");
    reclaim.duration("--grace", command_.grace, "how long the borrowers may keep it");
  }

  void pool(cli::Options at) {
    figures(verb(at, "add", "add a pool, or a part of one", Verb::kPoolAdd));
    figures(verb(at, "set", "change a pool; what is not given stays", Verb::kPoolSet));
    name_of_pool(verb(at, "remove", "remove a pool in which nothing is held", Verb::kPoolRemove)).required();
    if (whatif_) return;
    auto list = verb(at, "list", "what the pools have, grant, lend and have free", Verb::kPoolList);
    name_of_pool(list);
    list.text("--at", command_.time, "at another time than now", "TIME");
  }

  void list(cli::Options at) {
    auto list = verb(at, "list", "who holds what, and who has lent it to whom", Verb::kList);
    list.text("POOL,--pool", command_.pool, "of this pool", "POOL");
    list.text("--owner", command_.owner, "of this owner", "NAME");
    list.text("--tag", command_.tag, "with this tag", "TAG");
    list.text("--vm", command_.vm, "for this virtual server", "VM").offers(cli::Values::kVms);
    list.text("--host", command_.host, "claimed on this host", "HOST");
    list.text("--id", command_.id, "this one, and loans for it", "ID");
    list.choice("--state", command_.state,
                {"pending", "active", "idle", "ended", "released", "reclaimed", "changed", "preempted"},
                "in this state");
    list.text("--at", command_.time, "as of another time than now", "TIME");
    list.text("--from", command_.from, "that hold something after this", "TIME");
    list.text("--until", command_.until, "that hold something before this", "TIME");
    list.flag("--all", command_.all, "those that are over, too");
    list.flag("--calendar", command_.calendar, "draw it, for a week or from --from until --until");
  }

  cli::Options verb(cli::Options at, const char* name, const char* about, Verb verb) {
    return at.command(name, about, [act = act_, whatif = whatif_, verb] { return act(verb, whatif); });
  }

 private:
  void claim(cli::Options at) {
    at.operand("POOL", command_.pool, "pool; - for reservation_request records on stdin", "POOL").required();
    at.text("--owner", command_.owner, "for whom", "NAME");
    at.text("--amount", command_.amount, "how much: cpu=4,memory=16GiB", kAmounts);
    at.text("--id", command_.id, "name for it: repeating the command grants it once", "ID");
    times(at);
    at.text("--every", command_.every, "when it recurs, in local time: \"weekdays 8-18\", \"2nd tue 20-22\"",
            "RULE")
        .checked([](const std::string& given) { return given.empty() ? "it is empty" : ""; });
    at.number("--priority", command_.priority, "who is taken back from last when a lender reclaims");
    at.list("--tag", command_.tags, "word to find it by; may be repeated", "TAG");
    at.text("--vm", command_.vm, "virtual server that it is for, see apply", "VM").offers(cli::Values::kVms);
    at.text("--host", command_.host, "host that it is held on", "HOST").offers(cli::Values::kHosts);
    at.text("--limit", command_.limit, "most that the virtual server may use, see apply", kAmounts);
    at.text("--headroom", command_.headroom,
            "what has to stay free after it, if that is more than its pool demands", "N+1|AMOUNTS");
    at.flag("--borrow", command_.borrow, "borrow what the pool lacks");
    at.flag("--preempt", command_.preempt, "end what has a lower priority in the pool if there is no room");
    at.flag("--lendable", command_.lendable, "a failover may use it while its owner does not");
    at.flag("--atomic", command_.atomic, "of a stream: all of the requests or none");
  }

  void change(cli::Options at) {
    at.operands("ID", command_.ids, "the reservation").required().takes(1, 1);
    at.text("--amount", command_.amount, "how much from now on; what is not named stays", kAmounts);
    at.text("--from", command_.from, "its new beginning, if it has not begun", "TIME");
    at.text("--until", command_.until, "its new end", "TIME");
    at.duration("--for", command_.length, "how long it lasts from its beginning").checked(why_no_length);
    at.flag("--forever", command_.forever, "it does not end");
    at.number("--priority", command_.new_priority, "its new priority");
  }

  void borrow(cli::Options at) {
    at.operand("POOL", command_.pool, "pool that borrows", "POOL").required();
    at.text("--lender", command_.lender, "from whom; not given: whoever has most idle", "POOL");
    at.text("--amount", command_.amount, "how much: cpu=4,memory=16GiB", kAmounts).required();
    at.text("--owner", command_.owner, "who asks for it", "NAME");
    at.text("--id", command_.id, "name for it: repeating the command borrows once", "ID");
    times(at);
    at.number("--priority", command_.priority, "which is taken back last");
  }

  void times(cli::Options at) {
    at.text("--from", command_.from, "when it begins, now if not given: 2026-11-22T12:00:00Z, 08:00, +2h",
            "TIME");
    at.text("--until", command_.until, "when it ends; not given: it does not", "TIME");
    at.duration("--for", command_.length, "how long it lasts, instead of --until").checked(why_no_length);
  }

  cli::Option name_of_pool(cli::Options at) {
    return at.operand("POOL", command_.pool, "name of the pool", "POOL");
  }

  void figures(cli::Options at) {
    name_of_pool(at).required();
    at.text("--parent", command_.parent, "pool that it is a part of", "POOL");
    at.text("--capacity", command_.capacity, "what it has: cpu=64,memory=512GiB", kAmounts);
    at.text("--reservation", command_.reservation,
            "of a part: what it is guaranteed; claims may take more of what the parent has free", kAmounts);
    at.text("--limit", command_.limit, "most that it may have; cpu=none takes it away", kAmounts);
    at.text("--shares", command_.shares, "weight against its siblings", "N|cpu=N,...");
    at.text("--overcommit", command_.overcommit, "how many times it may be granted", "RATIO|cpu=RATIO,...");
    at.text("--borrow-limit", command_.borrow_limit, "most that it may borrow", kAmounts);
    at.text("--never-lent", command_.never_lent, "part that others never get", kAmounts);
    at.list("--host", command_.hosts, "host that it is made of; may be repeated", "HOST")
        .offers(cli::Values::kHosts);
    at.text("--headroom", command_.headroom, "what every claim has to leave free", "N+1|AMOUNTS|none");
    at.flag("--expandable", command_.expandable, "claims may take what the parent has free");
    at.flag("--fixed", command_.fixed, "claims may not");
  }

  Command& command_;
  const Act& act_;
  bool whatif_;
};

}  // namespace

void declare(cli::Program& program, Command& command, const Act& act) {
  program.takes_store();
  program.takes_inventory();
  program.takes_timeout(Milliseconds{5000});
  program.takes_dry_run();
  auto& at = program.options();
  at.flag("--accept-clock", command.accept_clock,
          "the clock is right, although the ledger was written at a later time");
  Verbs verbs(command, act, false);
  verbs.pool(at.command("pool", "add, change, remove and list pools"));
  verbs.changes(at);
  verbs.list(at);
  verbs.verb(at, "check", "add up the whole ledger anew: exit 1 if anything does not hold", Verb::kCheck);
  verbs.verb(at, "apply", "make the hypervisors hold what was granted to virtual servers", Verb::kApply)
      .text("--vm", command.vm, "only of this one", "VM")
      .offers(cli::Values::kVms);
  Verbs tried(command, act, true);
  auto whatif = at.command("whatif", "what a command would do; changes nothing");
  tried.pool(whatif.command("pool", "add, change and remove pools"));
  tried.changes(whatif);
}

}  // namespace rackline::reserve
