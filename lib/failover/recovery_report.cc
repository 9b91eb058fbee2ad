// SPDX-License-Identifier: Apache-2.0
// What Recovery says: its records, and the sum of them.
#include <algorithm>

#include "failover/recovery.h"

namespace rackline::failover {
namespace {

using What = act::Outcome;

template <class Record>
Record filled(const Verdict& verdict, const Outcome& outcome) {
  Record record;
  record.id = journal_id(verdict.fence, verdict.vm.vm);
  if (!verdict.fence.cause.empty()) record.cause = verdict.fence.cause;
  record.fence = verdict.fence.id;
  record.vm = verdict.vm.vm;
  record.uuid = verdict.vm.uuid;
  record.from = verdict.from;
  record.outcome = outcome.unplaced ? "unplaced" : act::word_of(outcome.what, outcome.planned);
  record.priority = verdict.vm.priority;
  record.memory_bytes = verdict.vm.memory_bytes;
  if (outcome.planned) record.planned = true;
  if (outcome.attempts > 0) record.attempts = outcome.attempts;
  return record;
}

}  // namespace

void Recovery::refuse(const record::HostFenced& fenced, const std::string& why) {
  objected_ = true;
  hooks_.warn("host_fenced of " + fenced.host + " (" + fenced.id + "): refused: " + why);
  for (const auto& vm : protected_vms(store_)) {
    if (vm.host != fenced.host || !vm.running) continue;
    Verdict verdict;
    verdict.vm = vm;
    verdict.from = fenced.host;
    verdict.fence.host = fenced.host;
    verdict.fence.id = fenced.id;
    verdict.fence.cause = fenced.cause.value_or("");
    Outcome outcome;
    outcome.what = What::kRefused;
    outcome.reason = why;
    outcome.planned = policy_.dry_run;
    hooks_.not_restarted(filled<record::VmNotRestarted>(verdict, outcome));
  }
}

void Recovery::report(const Verdict& verdict, const Outcome& settled) {
  Outcome outcome = settled;
  const Key key{verdict.fence.id, verdict.vm.vm};
  const auto before = told_.find(key);
  const bool new_word =
      before == told_.end() || before->second.what != outcome.what || before->second.reason != outcome.reason;
  // What this run has done it does not find done in its next pass.
  const bool known =
      before != told_.end() && before->second.what == What::kDone && outcome.what == What::kAlready;
  if (outcome.what == What::kFailed && !outcome.planned) {
    constexpr Milliseconds kFirst{5000};
    constexpr int kMostDoublings = 3;
    Patience& patience = failed_[key];
    patience.next = clock_.monotonic() + kFirst * (1 << std::min(patience.rounds, kMostDoublings));
    if (++patience.rounds > 1 && patience.rounds != kRounds && !new_word) return;
    if (patience.rounds == kRounds) {
      outcome.needs_person = true;
      outcome.reason += "; " + std::to_string(kRounds) +
                        " rounds of starts have failed, and it is not tried again: a person has to look";
    }
  }
  if ((!new_word && outcome.reason == settled.reason) || known) return;
  told_[key] = outcome;
  const auto started = accepted_.find(verdict.fence.id);
  const auto elapsed =
      clock_.monotonic() - (started != accepted_.end() ? started->second : clock_.monotonic());
  if (outcome.what == What::kDone || outcome.what == What::kAlready) {
    auto record = filled<record::VmRestarted>(verdict, outcome);
    record.to = outcome.to;
    if (outcome.what == What::kDone && !outcome.planned)
      record.verified = outcome.checked ? "check" : "domain";
    if (!outcome.reason.empty()) record.reason = outcome.reason;
    if (outcome.start) record.start_ms = outcome.start->count();
    record.elapsed_ms = elapsed.count();
    hooks_.restarted(record);
    if (outcome.check_silent) hooks_.warn(verdict.vm.vm + ": " + outcome.reason);
    return;
  }
  auto record = filled<record::VmNotRestarted>(verdict, outcome);
  record.reason = outcome.reason;
  record.elapsed_ms = elapsed.count();
  hooks_.not_restarted(record);
  if (outcome.planned) return;
  const auto& tell = outcome.needs_person ? hooks_.call_person : hooks_.warn;
  tell(verdict.vm.vm + " is not restarted: " + record.outcome + ": " + outcome.reason);
}

// Without those for which there was no host.
act::Tally Recovery::tally() const {
  act::Tally tally;
  for (const auto& [key, outcome] : told_) {
    if (!outcome.unplaced) tally.add(outcome.what);
  }
  return tally;
}

std::int64_t Recovery::unplaced() const {
  return std::count_if(told_.begin(), told_.end(), [](const auto& told) { return told.second.unplaced; });
}

void Recovery::tell(record::End& end, bool planned) const {
  tally().tell(end, planned);
  end.unplaced = unplaced();
}

Status Recovery::status() const {
  if (twice_) return Status::kRefused;
  const bool silent =
      std::any_of(told_.begin(), told_.end(), [](const auto& told) { return told.second.check_silent; });
  if (silent || unplaced() > 0) return Status::kNo;
  const Status status = tally().status();
  return status == Status::kDone && objected_ ? Status::kRefused : status;
}

}  // namespace rackline::failover
