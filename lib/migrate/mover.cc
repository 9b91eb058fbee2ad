// SPDX-License-Identifier: Apache-2.0
#include "migrate/mover.h"

#include <algorithm>
#include <exception>

#include "base/error.h"
#include "base/units.h"

namespace rackline::migrate {

using Answer = CheckResult::Answer;
using Verdict = MoveFate::Verdict;

Milliseconds default_deadline(std::int64_t memory_bytes, std::int64_t bandwidth_bytes_per_second) {
  constexpr std::int64_t kGibibyte = 1LL << 30;
  const Milliseconds scaled{120'000 + memory_bytes * 800 / kGibibyte * 1000};
  if (bandwidth_bytes_per_second <= 0) return scaled;
  return std::max(scaled, Milliseconds{120'000 + 3 * (memory_bytes / bandwidth_bytes_per_second) * 1000});
}

CheckResult MoveShared::promise_memory(const std::string& target, const std::string& move,
                                       std::int64_t needed, std::int64_t free) {
  const std::lock_guard guard(mutex_);
  Promises& promises = promises_[target];
  std::int64_t promised = 0;
  for (const auto& [other, bytes] : promises.by_move) promised += bytes;  // @rule 05-promised-memory
  CheckResult result = check_memory(target, needed, free, promised);
  if (result.answer == Answer::kGo) promises.by_move[move] = needed;
  return result;
}

void MoveShared::release_memory(const std::string& target, const std::string& move) {
  {
    const std::lock_guard guard(mutex_);
    Promises& promises = promises_[target];
    promises.by_move.erase(move);
    ++promises.releases;
  }
  wakeup->notify();
}

std::int64_t MoveShared::releases(const std::string& target) {
  const std::lock_guard guard(mutex_);
  return promises_[target].releases;
}

std::optional<std::optional<std::string>> MoveShared::known_compatibility(const std::string& key) {
  const std::lock_guard guard(mutex_);
  const auto found = compatibility_.find(key);
  if (found == compatibility_.end()) return std::nullopt;
  return found->second;
}

void MoveShared::learn_compatibility(const std::string& key, const std::optional<std::string>& answer) {
  const std::lock_guard guard(mutex_);
  compatibility_[key] = answer;
}

Mover::Mover(std::shared_ptr<MoveShared> shared, Move move, MigrationHost from, MigrationHost to,
             std::shared_ptr<Hypervisor> source, std::shared_ptr<Hypervisor> target, Report progress,
             Warn warn)
    : shared_(std::move(shared)),
      intent_{.move = std::move(move)},
      from_(std::move(from)),
      to_(std::move(to)),
      source_(std::move(source)),
      target_(std::move(target)),
      progress_(std::move(progress)),
      warn_(std::move(warn)),
      started_(shared_->clock.monotonic()),
      ladder_(shared_->policy.max_downtime, shared_->policy.max_downtime_limit,
              shared_->policy.allow_postcopy) {}

std::string Mover::no_answer() const {
  return "no answer within " + format_duration(shared_->policy.answer_timeout);
}

Milliseconds Mover::allowed() const {
  const MigrationPolicy& policy = shared_->policy;
  return policy.deadline.value_or(
      default_deadline(memory_bytes_ + bytes_to_copy(), policy.bandwidth_bytes_per_second));
}

Mover::View Mover::look() {
  const auto begin = [&](const std::shared_ptr<Hypervisor>& host, std::optional<std::string> uuid) {
    return std::make_unique<wait::Pending<VmFacts>>(
        shared_->wakeup,
        [host, name = intent_.move.vm, uuid = std::move(uuid)] { return host->look(name, uuid); });
  };
  const auto source = begin(source_, intent_.move.uuid);
  const auto target = begin(target_, intent_.move.uuid);
  shared_->wakeup->wait_for(shared_->policy.answer_timeout,
                            [&] { return source->ready() && target->ready(); });
  View view;
  const auto take = [&](wait::Pending<VmFacts>& answer, const MigrationHost& host,
                        std::optional<VmFacts>& facts) {
    std::string why = no_answer();
    if (answer.ready()) {
      try {
        facts = answer.get();
        return;
      } catch (const Error& error) {
        why = error.why();
      }
    }
    view.error += (view.error.empty() ? "" : "; ") + host.host + ": " + why;
  };
  take(*source, from_, view.source);
  take(*target, to_, view.target);
  // Found by name alone: a VM of that name on the target must be the same one.
  if (!intent_.move.uuid && view.source && view.target && view.source->present() && view.target->present() &&
      view.source->uuid != view.target->uuid) {
    const std::string other = view.target->uuid;
    view.target = VmFacts{};
    view.target->name_clash = true;
    view.target->uuid = other;
  }
  return view;
}

MoveReport Mover::report(act::Outcome outcome, std::string reason) const {
  MoveReport report;
  report.outcome = outcome;
  report.reason = std::move(reason);
  report.planned = shared_->policy.dry_run;
  report.elapsed = now() - started_;
  report.attempts = attempts_;
  report.postcopy = postcopy_;  // @rule 09-recorded
  if (memory_bytes_ > 0) report.memory_bytes = memory_bytes_;
  if (outcome == act::Outcome::kDone) {
    for (const Medium& medium : intent_.ejected) report.ejected.push_back(medium.source);
    for (const DiskCopy& copy : intent_.copies) report.copied.push_back(copy.path);
  }
  return report;
}

void Mover::say(const std::string& state) {
  progress_({state, last_job_});
}

MoveReport Mover::run() {
  MoveReport result;
  try {
    result = carry_out();
  } catch (const std::exception& error) {
    // Once the intent is written, nobody knows what became of the act unless somebody looked.
    result = intent_open_ ? report(act::Outcome::kUnknown, std::string("outcome unknown: ") + error.what())
                          : report(act::Outcome::kFailed, error.what());
  }
  // A migration that may still be running may still need what it was promised.
  if (result.outcome != act::Outcome::kUnknown) {
    for (const auto& what : promised_) shared_->release_memory(what, intent_.move.id);
  }
  result.uuid = intent_.move.uuid;
  return result;
}

MoveReport Mover::carry_out() {
  std::optional<MoveJournal::Item> item;
  if (shared_->journal != nullptr) item = shared_->journal->find(intent_.move.id);
  if (item && !item->result) return recover(*item);  // @rule 12-unknown-is-looked-at
  if (shared_->cancelled) return report(act::Outcome::kCancelled, "not begun");
  const View view = look();
  if (!view.source || !view.target) return report(act::Outcome::kFailed, view.error);
  // Done before, and not as we left it: somebody has moved it since, and this plan knows nothing of that.
  if (item && was_done(*item) && view.source->present()) {  // @rule 12-carried-out-before
    return report(act::Outcome::kRefused,
                  "this decision was carried out before, and the virtual server came back since");
  }
  return begin_anew(view);
}

// Why nothing may be placed on the target at this moment: the plan may be older than that.
std::string Mover::target_closed() const {
  if (!shared_->why_closed) return {};
  try {
    return shared_->why_closed(intent_.move.to);
  } catch (const std::exception& error) {
    // @rule 24-unknown-state: {}
    return "whether " + intent_.move.to + " serves is not known: " + error.what();
  }
}

MoveReport Mover::begin_anew(const View& view) {
  if (auto closed = target_closed(); !closed.empty())  // @rule 24-migrate
    return report(act::Outcome::kRefused, std::move(closed));
  if (auto refusal = check(view)) return *refusal;
  if (shared_->policy.dry_run) return report(act::Outcome::kDone, "");
  write_intent();  // @rule 12-intent
  if (auto failure = eject_media()) return close(std::move(*failure));
  if (auto failure = make_images()) return close(std::move(*failure));
  MoveReport report = intent_.live ? migrate_live(false) : move_definition();
  return close(std::move(report));
}

// What is asked is asked in parallel, since it lies between the moves: on a small host it would be a tenth of
// their time.
std::optional<MoveReport> Mover::check(const View& view) {
  const CheckResult place = check_place(intent_.move, *view.source, *view.target);
  if (place.answer == Answer::kAlready) return report(act::Outcome::kAlready, "");
  if (place.answer != Answer::kGo) return report(act::Outcome::kRefused, place.reason);

  intent_.move.uuid = view.source->uuid;
  intent_.move.domain_id = view.source->domain_id;
  intent_.live = view.source->domain_id.has_value();
  memory_bytes_ = view.source->memory_bytes;

  VmDescription vm = ask(from_, [host = source_, uuid = uuid()] { return host->describe(uuid); });
  intent_.autostart = vm.autostart;
  const std::vector<VmDisk> media = take_local_media(from_, to_, vm);
  std::vector<VmDisk> copied;
  CheckResult copies = check_ties(vm, intent_.live);
  if (intent_.live && copies.answer == Answer::kGo)
    copies = take_copies(from_, to_, shared_->policy.copy_disks, vm, copied);
  if (copies.answer != Answer::kGo) return report(act::Outcome::kRefused, copies.reason);
  const CheckResult what = check_description(from_, to_, vm, intent_.live);
  if (what.answer != Answer::kGo) return report(act::Outcome::kRefused, what.reason);

  if (auto refusal = check_media(media)) return refusal;
  if (const CheckResult chains = check_chains(from_, vm); !intent_.live && chains.answer != Answer::kGo)
    return report(act::Outcome::kRefused, chains.reason);
  if (auto refusal = check_copies(copied)) return refusal;
  if (auto missing = missing_on_target(vm)) return report(act::Outcome::kRefused, *missing);

  const std::string key = to_.host + '\n' + vm.arch + '\n' + vm.machine + '\n' + vm.virt_type + '\n' +
                          vm.emulator + '\n' + vm.cpu_xml + '\n' + vm.host_cpu_xml;
  auto incompatible = shared_->known_compatibility(key);
  if (!incompatible) {
    incompatible = ask(to_, [host = target_, vm] { return host->incompatible(vm); });
    shared_->learn_compatibility(key, *incompatible);
  }
  if (*incompatible) return report(act::Outcome::kRefused, **incompatible);
  return intent_.live ? check_memory_of_target(vm) : std::nullopt;
}

// What it is plugged into, and the volumes of storage pools, which libvirt looks up by their names there.
std::optional<std::string> Mover::missing_on_target(const VmDescription& vm) {
  for (const auto& disk : vm.disks) {
    if (disk.pool.empty()) continue;
    const auto path = ask(to_, [host = target_, disk] { return host->volume_path(disk.pool, disk.volume); });
    const std::string what = "the volume " + disk.volume + " of the storage pool " + disk.pool;
    if (!path) return to_.host + " does not have " + what;
    if (*path != disk.source)  // @rule 13-volume-of-the-target
      return what + " is " + *path + " on " + to_.host + " and " + disk.source + " on " + from_.host;
  }
  if (vm.networks.empty()) return std::nullopt;
  return ask(to_, [host = target_, vm] { return host->missing_network(vm); });
}

std::optional<MoveReport> Mover::check_memory_of_target(const VmDescription& vm) {
  std::int64_t ordinary = memory_bytes_;
  for (const auto& [size, bytes] : vm.hugepages) {
    ordinary -= bytes;
    const std::string what = to_.host + " (" + virt::in_words(size) + ")";
    const auto free = [this, size = size] {
      const auto pools = ask(to_, [host = target_] { return host->free_hugepages(); });
      const auto found = pools.find(size);
      return found == pools.end() ? 0 : found->second;
    };
    if (auto refusal = claim(what, bytes, free); refusal.has_value())  // @rule 05-huge-pages-of-the-target
      return refusal;
  }
  return claim(to_.host, ordinary, [this] {
    return ask(to_, [host = target_] { return host->free_memory_bytes(); }) - to_.memory_reserve_bytes;
  });
}

std::optional<MoveReport> Mover::claim(const std::string& what, std::int64_t needed,
                                       const std::function<std::int64_t()>& free) {
  for (;;) {
    const std::int64_t seen = shared_->releases(what);
    const CheckResult memory = shared_->promise_memory(what, intent_.move.id, needed, free());
    if (memory.answer == Answer::kGo) {
      promised_.push_back(what);
      return std::nullopt;
    }
    const Milliseconds left = started_ + allowed() - now();
    if (memory.answer == Answer::kRefuse || left <= Milliseconds{0}) {
      return report(act::Outcome::kRefused, memory.reason);
    }
    say("waiting for memory on " + to_.host);
    shared_->wakeup->wait_for(left, [&] { return shared_->cancelled || shared_->releases(what) != seen; });
    if (shared_->cancelled) return report(act::Outcome::kCancelled, "not begun");
  }
}

// A medium is taken out only by the word of a person: the guest may be installed from it.
std::optional<MoveReport> Mover::check_media(const std::vector<VmDisk>& media) {
  if (!media.empty() && !shared_->policy.eject) {  // @rule 10-eject-by-word
    return report(act::Outcome::kRefused, "the medium in its CD-ROM drive " + media.front().target + " (" +
                                              media.front().source + ") is not on storage that " +
                                              from_.host + " and " + to_.host +
                                              " share: --eject takes it out first");
  }
  intent_.ejected.clear();
  for (const VmDisk& disk : media) {
    Medium medium = ask(
        from_, [host = source_, uuid = uuid(), target = disk.target] { return host->medium(uuid, target); });
    medium.source = disk.source;
    intent_.ejected.push_back(std::move(medium));
  }
  return std::nullopt;
}

std::optional<MoveReport> Mover::eject_media() {
  for (const Medium& medium : intent_.ejected) {
    say("ejecting " + medium.source);
    try {
      ask(from_, [host = source_, uuid = uuid(), medium] { host->eject(uuid, medium); });
    } catch (const Error& error) {
      return report(act::Outcome::kFailed, "the medium of its CD-ROM drive " + medium.target + " (" +
                                               medium.source + ") could not be ejected: " + error.why());
    }
  }
  return std::nullopt;
}

void Mover::put_media_back(MoveReport& report) {
  for (const Medium& medium : intent_.ejected) {
    try {
      ask(from_, [host = source_, uuid = uuid(), medium] { host->insert(uuid, medium); });
      report.reason += "; " + medium.source + " is back in its drive " + medium.target;
    } catch (const Error& error) {
      report.reason += "; " + medium.source + " could not be put back into its drive " + medium.target +
                       ": " + error.why();
    }
  }
}

void Mover::write_intent() {
  shared_->journal->intent(intent_.move.id, intent_);
  intent_open_ = true;
}

MoveReport Mover::close(MoveReport report) {
  if (!intent_open_) return report;
  if (report.outcome == act::Outcome::kUnknown) return report;        // @rule 12-unknown-stays-open
  if (report.outcome != act::Outcome::kDone) put_media_back(report);  // @rule 10-medium-put-back
  if (report.outcome != act::Outcome::kDone) remove_images(report);   // @rule 10-image-removed
  try {
    shared_->journal->result(intent_.move.id, report);
    intent_open_ = false;
  } catch (const Error& error) {
    // It happened all the same: the record says what, and the next run learns it from the hosts.
    warn_(error.what());
  }
  return report;
}

MoveReport Mover::done() {
  if (intent_.autostart) {
    try {
      ask(to_, [host = target_, uuid = uuid()] { host->set_autostart(uuid, true); });
    } catch (const Error& error) {
      warn_(error.what());
    }
  }
  if (const std::string wrong = wrong_with_copies(); !wrong.empty())  // @rule 14-copy-verified
    return unsettled({Verdict::kInconsistent, wrong});
  MoveReport report = this->report(act::Outcome::kDone, "");
  report.live = intent_.live;
  if (!intent_.live) return report;
  std::optional<JobStats> job = last_job_;
  try {
    job = ask(to_, [host = target_, uuid = uuid()] { return host->completed_job(uuid); });
  } catch (const Error&) {
    // After post-copy the target has no figures; the last that the source had are better than none.
    if (job) job->downtime.reset();
  }
  if (job) {
    // Only the source knows figures of disks.
    if (last_job_) job->disk_transferred_bytes = last_job_->disk_transferred_bytes;
    report.downtime = job->downtime;
    if (job->transferred_bytes > 0)
      report.transferred_bytes = job->transferred_bytes + job->disk_transferred_bytes;
    if (!intent_.copies.empty()) report.copied_bytes = job->disk_transferred_bytes;
    if (job->iteration > 0) report.iterations = job->iteration;
  }
  report.elapsed = now() - started_;
  return report;
}

MoveReport Mover::unsettled(const MoveFate& fate) const {
  if (fate.verdict != Verdict::kInconsistent) {
    return report(act::Outcome::kUnknown,
                  "outcome unknown: " + fate.reason + "; repeat the command when both hosts answer");
  }
  MoveReport report =
      this->report(act::Outcome::kUnknown, fate.reason + "; touched nothing, look at both hosts");
  report.inconsistent = true;
  return report;
}

MoveReport Mover::recover(const MoveJournal::Item& item) {
  const Move asked = intent_.move;
  intent_ = intent_of(item);
  intent_.move.stage = asked.stage;
  memory_bytes_ = intent_.move.memory_bytes.value_or(0);
  intent_open_ = true;
  say("learning what became of an earlier attempt");
  const View view = look();
  const MoveFate fate = judge(intent_.move, intent_.live, view.source, view.target);
  if (fate.verdict == Verdict::kUnknown) return unsettled({Verdict::kUnknown, view.error});
  if (view.source->present()) memory_bytes_ = view.source->memory_bytes;
  if (!intent_.live) {
    if (fate.verdict == Verdict::kInconsistent) return unsettled(fate);
    return close(fate.verdict == Verdict::kSource ? move_definition() : finish_definition());
  }
  if (fate.verdict != Verdict::kSource) return close(migrate_live(true));
  // Nothing has happened: from here on it is as if it had never been begun.
  if (shared_->cancelled) return report(act::Outcome::kCancelled, "not begun again");
  close(report(act::Outcome::kFailed, fate.reason));
  const View fresh = look();
  if (!fresh.source || !fresh.target) return report(act::Outcome::kFailed, fresh.error);
  return begin_anew(fresh);
}

}  // namespace rackline::migrate
