// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/health.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace rackline::heartbeat {
namespace {

using cluster::HealthMark;

constexpr Milliseconds kContacts{60'000};
constexpr const char* kContradicted = "fence_contradicted";

const HealthMark* find(const std::vector<HealthMark>& marks, const std::string& host) {
  const auto found =
      std::find_if(marks.begin(), marks.end(), [&](const HealthMark& mark) { return mark.host == host; });
  return found == marks.end() ? nullptr : &*found;
}

}  // namespace

HealthWork due(const std::string& me, const std::vector<HostHealth>& hosts,
               const std::vector<HealthMark>& stored, const cluster::BrokenMarks& broken,
               std::chrono::sys_seconds now) {
  HealthWork work;
  for (const auto& host : hosts) {
    const HealthMark* present = find(stored, host.host);
    // One from the future, after a clock was set back, would be valid for as long as that. The clock of
    // another watcher may be ahead a little.
    const bool valid = present != nullptr && !present->from_the_future(now) && present->valid(now);
    const bool mine = present != nullptr && present->by == me;
    if (host.well) {
      const bool unreadable =
          std::any_of(broken.begin(), broken.end(), [&](const auto& mark) { return mark.host == host.host; });
      if (unreadable || mine || (present != nullptr && !valid))  // @rule 24-health-of-others: true
        work.removals.push_back(host.host);
      continue;
    }
    const bool same = valid && present->verdict == host.verdict && present->fence == host.fence;
    // Nothing is graver than a host that lives after its fence.
    const bool graver = !mine && host.verdict == kContradicted && !same;
    const bool fresh = valid && now - present->renewed < HealthMark::kRenewed;
    if (fresh && (mine ? same : !graver)) continue;  // @rule 24-health-mark: true
    work.puts.push_back(
        {host.host, host.verdict, host.reason, same ? present->since : now, now, me, host.fence});
  }
  return work;
}

struct HealthWriter::Desk {
  Desk(std::shared_ptr<store::Store> used, const Clock& time, std::string name)
      : store(std::move(used)), clock(time), me(std::move(name)) {}

  void pass(const std::vector<HostHealth>& hosts) {
    cluster::BrokenMarks broken;
    const auto stored = cluster::health_marks(*store, &broken);
    const auto work = due(me, hosts, stored, broken, clock.wall());
    for (const auto& mark : work.puts) put(*store, mark);
    for (const auto& host : work.removals) cluster::remove_health(*store, host);
    const auto now = clock.monotonic();
    if (contacts_written && now - *contacts_written < kContacts) return;
    auto contacts = cluster::contacts(*store);
    for (const auto& host : hosts) {
      if (host.heard) contacts[host.host] = clock.wall();
    }
    if (hosts.empty()) return;
    cluster::put(*store, contacts);
    contacts_written = now;
  }

  void say(std::string text) {
    const std::lock_guard lock(mutex);
    news = std::move(text);
  }

  std::shared_ptr<store::Store> store;
  const Clock& clock;
  std::string me;
  std::optional<Milliseconds> contacts_written;
  bool failing = false;
  std::mutex mutex;
  std::optional<std::string> news;
};

HealthWriter::HealthWriter(std::shared_ptr<store::Store> store, const Clock& clock, std::string me)
    : desk_(std::make_shared<Desk>(std::move(store), clock, std::move(me))),
      work_([desk = desk_](const auto& hosts) {
        try {
          desk->pass(hosts);
          if (std::exchange(desk->failing, false)) desk->say("the store takes marks of hosts again");
        } catch (const std::exception& error) {
          if (!std::exchange(desk->failing, true))
            desk->say(
                std::string(error.what()) +
                ": the hosts are watched as before, but which of them are not well is not written down");
        }
      }) {}

std::optional<std::string> HealthWriter::news() {
  const std::lock_guard lock(desk_->mutex);
  return std::exchange(desk_->news, std::nullopt);
}

}  // namespace rackline::heartbeat
