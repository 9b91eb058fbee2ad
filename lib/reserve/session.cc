// SPDX-License-Identifier: Apache-2.0
#include "reserve/session.h"

#include "base/local_time.h"
#include "cli/bars.h"
#include "reserve/apply.h"
#include "reserve/batch.h"
#include "reserve/calendar.h"
#include "reserve/check.h"
#include "reserve/listing.h"

namespace rackline::reserve {
namespace {

class Session {
 public:
  Session(cli::Program& program, const Command& command, bool planned)
      : program_(program),
        command_(command),
        planned_(planned),
        store_(store::Store::open(program.store_url())),
        ledgers_(*store_, program.clock(), command.accept_clock) {}

  Status carry_out(Verb verb) {
    switch (verb) {
      case Verb::kPoolAdd:
        return pool(&Ledger::add_pool);
      case Verb::kPoolSet:
        return pool(&Ledger::set_pool);
      case Verb::kPoolRemove:
        return remove_pool();
      case Verb::kPoolList:
        return list_pools();
      case Verb::kClaim:
        return claim();
      case Verb::kExtend:
        return extend();
      case Verb::kChange:
        return change();
      case Verb::kRelease:
        return release();
      case Verb::kBorrow:
        return borrow();
      case Verb::kReclaim:
        return reclaim();
      case Verb::kList:
        return list();
      case Verb::kCheck:
        return check();
      case Verb::kApply:
        return apply();
    }
    return Status::kUsage;
  }

 private:
  Status claim() {
    if (command_.pool != "-") {
      const auto granted =
          act<Granted>([&](Ledger& ledger) { return ledger.claim(command_.claim(ledger.now())); });
      return granted ? tell(*granted, now_) : Status::kNo;
    }
    command_.check_stream();
    program_.leaves_threads_behind();
    const bool all =
        claim_stream(ledgers_, program_.stdin_reader(record::Policy::kRefuse),
                     {.atomic = command_.atomic, .planned = planned_},
                     {.pass = [this](const record::Reader& reader) { program_.out().pass(reader); },
                      .answer =
                          [this](const BatchAnswer& answer) {
                            cause_ = answer.cause;
                            if (const auto* granted = std::get_if<Granted>(&answer.answer)) {
                              tell(*granted, answer.now);
                            } else {
                              refuse(std::get<Refusal>(answer.answer));
                            }
                          },
                      .pool = [this](const Pool& pool) { records_.add(pool); }});
    return all ? Status::kDone : Status::kNo;
  }

  Status extend() {
    const auto granted = act<Granted>([&](Ledger& ledger) {
      return ledger.extend(command_.ids.front(), command_.extension(ledger.now()));
    });
    return granted ? tell(*granted, now_) : Status::kNo;
  }

  Status change() {
    const auto granted =
        act<Granted>([&](Ledger& ledger) { return ledger.change(command_.change(ledger.now())); });
    return granted ? tell(*granted, now_) : Status::kNo;
  }

  Status release() {
    Status status = Status::kDone;
    for (const auto& id : released()) {
      const auto ended = act<Ended>([&](Ledger& ledger) { return ledger.release(id); });
      if (!ended) {
        status = Status::kNo;
      } else if (ended->claim) {
        tell(Granted{*ended->claim, ended->outcome, {}}, now_);
      } else {
        tell(*ended->loan, ended->outcome);
      }
    }
    return status;
  }

  Status borrow() {
    const auto lent = act<Lent>([&](Ledger& ledger) { return ledger.borrow(command_.loan(ledger.now())); });
    if (!lent) return Status::kNo;
    warn("borrow", lent->notes);
    for (const auto& loan : lent->loans) tell(loan, lent->outcome);
    return Status::kDone;
  }

  Status reclaim() {
    const auto reclaimed = act<Reclaimed>([&](Ledger& ledger) { return ledger.reclaim(command_.reclaim()); });
    if (!reclaimed) return Status::kNo;
    for (const auto& hit : reclaimed->hits) put(records_.hit(hit));
    if (reclaimed->hits.empty()) {
      const bool all = command_.lender.empty() && command_.amount.empty();
      program_.warn("reclaim: " + command_.pool + " has lent nothing" + (all ? "" : " of that"));
    }
    return Status::kDone;
  }

  Status pool(Answer<PoolAnswer> (Ledger::*verb)(const PoolRequest&)) {
    const auto answer =
        act<PoolAnswer>([&](Ledger& ledger) { return (ledger.*verb)(command_.pool_request()); });
    return answer ? tell(*answer) : Status::kNo;
  }
  Status remove_pool() {
    const auto answer = act<PoolAnswer>([&](Ledger& ledger) { return ledger.remove_pool(command_.pool); });
    return answer ? tell(*answer) : Status::kNo;
  }

  Status list_pools() {
    bool found = false;
    ledgers_.look([&](Ledger& ledger) {
      const auto at = command_.at(ledger.now());
      for (const auto& pool : all_pools(*store_)) {
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
    records_ = Records(all_pools(*store_));
    const auto filter = command_.filter(ledgers_.clock());
    const auto now = command_.at(ledgers_.clock());
    if (command_.calendar) return calendar(filter, now);
    reserve::list(*store_, filter, now,
                  {.claim = [&](const Claim& claim) { put(records_.reservation(claim, now)); },
                   .loan = [&](const Loan& loan) { put(records_.loan(loan, now)); }});
    return Status::kDone;
  }

  Status check() {
    const auto result = reserve::check(*store_, [this](const record::LedgerFault& fault) { put(fault); });
    put(result);
    return result.sound ? Status::kDone : Status::kNo;
  }

  Status apply() {
    program_.leaves_threads_behind();
    return reserve::apply(
        *store_, program_.inventory(), ledgers_.clock(),
        {.vm = command_.vm, .timeout = program_.timeout(), .planned = planned_},
        [this](const record::ReservationApplied& record) { put(record); },
        [this](const std::string& text) { program_.warn(text); });
  }

  // Those that were named, else all of the owner or with the tag.
  std::vector<std::string> released() {
    command_.check_release();
    if (!command_.ids.empty()) return command_.ids;
    std::vector<std::string> ids;
    reserve::list(*store_, command_.filter(ledgers_.clock()), ledgers_.clock(),
                  {.claim = [&](const Claim& claim) { ids.push_back(claim.id); },
                   .loan =
                       [&](const Loan& loan) {
                         if (loan.claim.empty()) ids.push_back(loan.id);
                       }});
    if (ids.empty()) program_.note("release: there is nothing of that");
    return ids;
  }

  Status calendar(const Filter& filter, Second now) {
    require_local_zone();
    auto window = command_.window(now);
    // A table is as wide as the terminal: what the other columns leave, at least something to look at.
    const auto rows = [&] { return reserve::calendar(*store_, ledgers_, filter, window, now); };
    if (program_.out().format() == cli::Format::kTable)
      window.columns = chart_columns(rows(), cli::output_columns());
    for (const auto& row : rows()) put(row);
    program_.out().illustrate(reserve::legend(window));
    return Status::kDone;
  }

  // One verb in one transaction. Nothing when it was refused, which has been told.
  template <class T>
  std::optional<T> act(const std::function<Answer<T>(Ledger&)>& verb) {
    std::optional<Answer<T>> answer;
    const auto work = [&](Ledger& ledger) {
      answer = verb(ledger);
      now_ = ledger.now();
      return std::holds_alternative<T>(*answer);
    };
    if (planned_) {
      ledgers_.look(work);
    } else {
      ledgers_.run(work);
    }
    records_ = Records(all_pools(*store_));
    if (const auto* refusal = std::get_if<Refusal>(&*answer)) {
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

  void refuse(const Refusal& refusal) {
    put(records_.refused(refusal));
    program_.warn(refusal.request + ": " + (refusal.pool.empty() ? refusal.id : refusal.pool) + ": " +
                  refusal.reason);
  }

  void warn(const std::string& request, const std::vector<std::string>& notes) {
    for (const auto& note : notes) program_.warn(request + ": " + note);
  }

  Status tell(const Granted& granted, Second now) {
    warn(granted.claim.id, granted.notes);
    for (const auto& hit : granted.hits) put(records_.hit(hit));
    put(records_.reservation(granted, now));
    for (const auto& loan : granted.loans) tell(loan, granted.outcome == "already" ? "already" : "granted");
    return Status::kDone;
  }
  void tell(const Loan& loan, const std::string& outcome) {
    auto record = records_.loan(loan, now_ == 0 ? ledgers_.clock() : now_);
    record.outcome = outcome;
    put(record);
  }
  Status tell(const PoolAnswer& answer) {
    for (const auto& [name, about] : answer.pool.resources) {
      auto record = records_.share(answer.pool, name);
      record.outcome = answer.outcome;
      put(record);
    }
    return Status::kDone;
  }

  cli::Program& program_;
  const Command& command_;
  bool planned_;
  std::unique_ptr<store::Store> store_;
  LedgerStore ledgers_;
  Records records_;
  record::Text cause_;
  Second now_ = 0;
};

}  // namespace

Status carry_out(cli::Program& program, const Command& command, Verb verb, bool whatif) {
  return Session(program, command, program.dry_run() || whatif).carry_out(verb);
}

}  // namespace rackline::reserve
