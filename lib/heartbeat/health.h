// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "cluster/contacts.h"
#include "cluster/marks.h"
#include "heartbeat/membership.h"
#include "wait/latest.h"

namespace rackline::heartbeat {

struct HealthWork {
  std::vector<cluster::HealthMark> puts;
  std::vector<std::string> removals;  // of these hosts
};

// What the watcher `me` has to write into the store so that every program that places VMs knows
// which hosts are not well: `stored` are the marks there, and `broken` those that cannot be read. Only
// watchers write these marks, so a broken one is replaced, or removed when the host is well.
//
// Several watchers may share a store, and see different things. A mark that another one renews is left alone
// by one that finds the host well: less is done then, and not more.
HealthWork due(const std::string& me, const std::vector<HostHealth>& hosts,
               const std::vector<cluster::HealthMark>& stored, const cluster::BrokenMarks& broken,
               std::chrono::sys_seconds now);

// Brings that into the store, on a thread of its own: a store that is locked, full, read-only or gone holds
// nobody up who has to hear the hosts. Once a minute it writes down who is heard, too.
class HealthWriter {
 public:
  // `me`: the watcher, by a name that outlives a restart.
  HealthWriter(std::shared_ptr<store::Store> store, const Clock& clock, std::string me);

  void tell(std::vector<HostHealth> hosts) { work_.post(std::move(hosts)); }
  // For a person: once that it cannot write, and why; and once that it can again.
  std::optional<std::string> news();

 private:
  struct Desk;
  std::shared_ptr<Desk> desk_;
  wait::Latest<std::vector<HostHealth>> work_;
};

}  // namespace rackline::heartbeat
