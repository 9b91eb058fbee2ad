// SPDX-License-Identifier: Apache-2.0
#include "fence/manual.h"

#include <future>
#include <utility>

#include "base/error.h"
#include "base/id.h"
#include "cluster/mark_version.h"

namespace rackline::fence {
namespace {

const bmc::FenceLevels& methods_of(const FenceEngine::World& world, const std::string& host) {
  const auto found = world.methods.find(host);
  if (found == world.methods.end()) {
    throw Error(Status::kUsage, "find the host", host, "it is not in the inventory",
                "fence status lists them");
  }
  return found->second;
}

constexpr Milliseconds kAgain{50};
constexpr Milliseconds kBeyondADeadline{30'000};

// Whoever tries to fence a host again and again ends its try early for the wish.
store::Lock lock_of(FenceEngine::World& world, const FencePolicy& policy, const std::string& host) {
  const auto& clock = world.time.clock;
  const auto until = clock.monotonic() + policy.deadline + kBeyondADeadline;
  for (bool told = false;;) {
    if (auto lock = world.store.try_lock("fence")) return std::move(*lock);
    if (clock.monotonic() >= until || world.stopping()) break;
    if (!told && world.warn) world.warn(host + ": another fence is at work, waiting for its lock");
    told = true;
    world.time.sleep(kAgain);
  }
  throw Error(Status::kBusy, "begin", "the store's lock", "another fence is at work", "nothing was done");
}

// The host's mark; one that cannot be read is none, and its version is kept so that a mark can take its
// place.
struct MarkThere {
  std::optional<cluster::FenceMark> mark;
  std::int64_t version = 0;
  bool broken = false;
};
MarkThere mark_there(store::Store& store, const std::string& host) {
  MarkThere there;
  // Before the mark: what comes in between makes the put fail.
  there.version = cluster::fence_mark_version(store, host);
  try {
    there.mark = cluster::fence_mark(store, host);
  } catch (const cluster::BrokenMark&) {
    there.broken = true;
  }
  return there;
}

// Whether a watcher has seen it live since it was marked: that mark proves nothing any more, and a person who
// vouches for it now makes another one.
bool contradicted(store::Store& store, const cluster::FenceMark& mark) {
  const auto health = cluster::health_mark(store, mark.host);
  return health && health->contradicts(mark);
}

Error changed(const std::string& host) {
  return {Status::kBusy, "mark", host, "somebody else has just changed its mark", "repeat the command"};
}

}  // namespace

FenceReport confirm_off(FenceEngine::World& world, const FencePolicy& policy, const std::string& host,
                        const std::string& person, const HostAnswer& ask) {
  const auto& clock = world.time.clock;
  const auto started = clock.monotonic();
  const auto& levels = methods_of(world, host);
  FenceReport report;
  report.id = random_id();
  report.host = host;
  report.planned = policy.dry_run;
  std::optional<FenceWish> wish;
  if (!policy.dry_run) wish.emplace(world.store, host, clock.wall());
  const std::string answer = ask(host);
  const auto reading = bmc::PowerDriver(world.power, world.time).read(levels, policy.deadline / 2);
  report.power.before = report.power.after = reading.power;
  report.power.method = "manual";
  report.power.proven = true;
  report.power.evidence =
      "confirmed by a person: " + person +
      (reading.power == bmc::Power::kUnknown ? "; its power cannot be read"
                                             : std::string("; its power reads ") + name_of(reading.power));
  if (!answer.empty()) report.power.evidence += "; by force, although it answered: " + answer;
  report.elapsed = clock.monotonic() - started;
  if (reading.power == bmc::Power::kOn && !policy.force) {  // @rule 15-a-persons-word
    report.outcome = FenceReport::Outcome::kRefused;
    report.reason = reading.method + " says that it is on (--force)";
    return report;
  }
  // Its power cannot be read, or that of another machine was.
  if (!answer.empty() && !policy.force) {  // @rule 15-a-living-host
    report.outcome = FenceReport::Outcome::kRefused;
    report.reason = host + " answers: " + answer + "; it is not off (--force)";
    return report;
  }
  report.outcome = FenceReport::Outcome::kFenced;
  if (policy.dry_run) return report;
  const auto lock = lock_of(world, policy, host);
  const auto there = mark_there(world.store, host);
  const auto& present = there.mark;
  if (there.broken) report.power.evidence += "; a mark that could not be read was overwritten";
  if (present && present->state == cluster::FenceMark::State::kFenced &&
      !contradicted(world.store, *present)) {
    report.already = true;
    report.id = present->id;
    report.cause = present->cause;
    return report;
  }
  cluster::FenceMark mark{host, report.id, present ? present->cause : "", "manual", clock.wall()};
  mark.version = there.version;
  report.cause = mark.cause;
  if (!put(world.store, mark)) throw changed(host);
  return report;
}

UnfenceReport unfence(FenceEngine::World& world, const FencePolicy& policy, const std::string& host) {
  const auto& clock = world.time.clock;
  const auto started = clock.monotonic();
  const auto& levels = methods_of(world, host);
  UnfenceReport report;
  report.host = host;
  report.planned = policy.dry_run;
  std::optional<FenceWish> wish;
  std::optional<store::Lock> lock;
  if (!policy.dry_run) {
    wish.emplace(world.store, host, clock.wall());
    lock = lock_of(world, policy, host);
  }
  const auto there = mark_there(world.store, host);
  auto mark = there.mark;
  if (there.broken) {
    if (!policy.force) {
      report.outcome = act::Outcome::kRefused;
      report.reason =
          "its mark cannot be read, and says neither that it is fenced nor that it is not (--force)";
      return report;
    }
    mark = cluster::FenceMark{host, random_id(), "", "unknown", clock.wall()};
    mark->version = there.version;
  }
  if (!mark) {
    report.outcome = act::Outcome::kAlready;
    report.reason = "it is not fenced";
    return report;
  }
  report.id = mark->id;
  report.cause = mark->cause;
  if (policy.dry_run) {
    const auto reading = bmc::PowerDriver(world.power, world.time).read(levels, policy.deadline);
    report.outcome = act::Outcome::kDone;
    report.power.method = reading.method;
    report.power.after = reading.power;
    return report;
  }
  // First the mark: from the first command on what the host believes about its VMs is stale.
  const bool returning = mark->state == cluster::FenceMark::State::kReturning;
  mark->state = cluster::FenceMark::State::kReturning;  // @rule 04-unfence-keeps-the-mark
  if (!returning && !put(world.store, *mark)) throw changed(host);
  report.power = bmc::PowerDriver(world.power, world.time).on(levels, clock.monotonic() + policy.deadline);
  report.elapsed = clock.monotonic() - started;
  report.outcome = !report.power.proven                  ? act::Outcome::kFailed
                   : report.power.untouched && returning ? act::Outcome::kAlready
                                                         : act::Outcome::kDone;
  if (!report.power.proven) report.reason = report.power.why;
  return report;
}

std::vector<HostPowerReport> host_power(FenceEngine::World& world, const std::vector<std::string>& hosts,
                                        Milliseconds patience) {
  std::vector<std::future<HostPowerReport>> asked;
  for (const auto& host : hosts) {
    const auto& levels = methods_of(world, host);
    asked.push_back(std::async(std::launch::async, [&world, &levels, host, patience] {
      const auto started = world.time.clock.monotonic();
      HostPowerReport report;
      report.host = host;
      report.reading = bmc::PowerDriver(world.power, world.time).read(levels, patience);
      try {
        report.mark = cluster::fence_mark(world.store, host);
      } catch (const cluster::BrokenMark& broken) {
        report.broken = broken.what();
      }
      report.elapsed = world.time.clock.monotonic() - started;
      return report;
    }));
  }
  std::vector<HostPowerReport> reports;
  for (auto& answer : asked) reports.push_back(answer.get());
  return reports;
}

}  // namespace rackline::fence
