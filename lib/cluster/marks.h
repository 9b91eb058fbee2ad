// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clocks.h"
#include "base/error.h"
#include "store/document.h"
#include "store/store.h"

namespace rackline::cluster {

// What the programs of a cluster leave each other about its hosts, in the store. state.h says what the marks
// of a host come to. A mark that cannot be read is never taken for none: the functions here throw BrokenMark
// for one, and Error(kUnreachable) for a store that does not answer.
struct BrokenMark : Error {
  BrokenMark(const std::string& key, std::string host_name);
  std::string host;
};
// The functions that read all marks throw none of these when they are given a place for them.
using BrokenMarks = std::vector<BrokenMark>;

// Set by fence, before its host_fenced record is written, and removed by failover clear alone. While a host
// has it, nothing may be started or placed there, and its VMs may be started elsewhere.
struct FenceMark {
  enum class State {
    kFenced,     // proven to be off
    kReturning,  // switched on again by fence unfence; what it still believes about its VMs is stale
  };
  std::string host;
  std::string id;     // of the host_fenced record
  std::string cause;  // the incident; may be empty
  std::string method;
  std::chrono::sys_seconds time{};
  State state = State::kFenced;
  std::int64_t version = 0;  // of the store's entry; 0: not stored yet
  static const store::Fields kFields;
};

std::optional<FenceMark> fence_mark(store::Store& store, const std::string& host);
std::vector<FenceMark> fence_marks(store::Store& store, BrokenMarks* broken = nullptr);
// Durable when it returns. False when the mark was changed by somebody else since `mark.version` was read (0:
// when there is one by now); nothing is written then.
bool put(store::Store& store, const FenceMark& mark);
// Removes exactly this mark; false when it is another one by now.
bool remove(store::Store& store, const FenceMark& mark);

// The marks of a person, maintenance, drain and disarm, hold from when they are there until they are taken
// back or `until` has come, whatever their `time`. One from the future, by a clock that was wrong, does no
// harm: failover compares only looks with it, and takes them for older than they are.

// A host whose silence is planned: it is not declared dead, nothing is placed there, and no protected VM
// may be on it. Set by heartbeat maintenance, and by rackline drain when the host is empty.
struct MaintenanceMark {
  std::string host;
  std::string reason;
  std::chrono::sys_seconds time{};
  std::string by{};                                 // who set it; may be empty
  std::optional<std::chrono::sys_seconds> until{};  // the host serves again from then on
  bool empty = false;                               // rackline drain has seen it without a VM
  bool holds(std::chrono::sys_seconds now) const { return !until || now < *until; }
  static const store::Fields kFields;
};
std::optional<MaintenanceMark> maintenance_mark(store::Store& store, const std::string& host);
std::vector<MaintenanceMark> maintenance_marks(store::Store& store, BrokenMarks* broken = nullptr);
void put(store::Store& store, const MaintenanceMark& mark);
// False when there was none.
bool remove_maintenance(store::Store& store, const std::string& host);

// A host that is being emptied: it runs what it has, and is given nothing more. Set by rackline drain.
struct DrainMark {
  std::string host;
  std::string reason;
  std::chrono::sys_seconds time{};
  std::string by{};
  std::optional<std::chrono::sys_seconds> until{};
  bool holds(std::chrono::sys_seconds now) const { return !until || now < *until; }
  static const store::Fields kFields;
};
std::optional<DrainMark> drain_mark(store::Store& store, const std::string& host);
std::vector<DrainMark> drain_marks(store::Store& store, BrokenMarks* broken = nullptr);
void put(store::Store& store, const DrainMark& mark);
bool remove_drain(store::Store& store, const std::string& host);

// A host that is not well in the eyes of heartbeat watch, which renews the mark every 20 s and removes it
// when the host is well again. An older one says nothing any more: its watcher has gone.
struct HealthMark {
  static constexpr std::chrono::seconds kRenewed{20}, kValid{60};
  std::string host;
  std::string verdict;  // as in the records: suspect, isolated, hypervisor_dead, fence_contradicted ...
  std::string reason;
  std::chrono::sys_seconds since{};    // of the verdict
  std::chrono::sys_seconds renewed{};  // when the mark was written
  std::string by{};                    // the watcher that wrote it; may be empty
  std::string fence{};                 // fence_contradicted: the id of that fence
  // Also one from the future, until then: whoever does less because of a mark goes on to do less.
  bool valid(std::chrono::sys_seconds now) const { return now - renewed <= kValid; }
  // By more than clocks differ. It would not end for as long as that, so what it says cannot be believed.
  bool from_the_future(std::chrono::sys_seconds now) const { return renewed - now > kClocksDiffer; }
  // Whether it says that this very fence proves nothing. By its id, since the clocks of the watcher and of
  // whoever fenced may differ; a watcher of an older version left the id out.
  bool contradicts(const FenceMark& mark) const {
    return verdict == "fence_contradicted" && (fence.empty() ? since >= mark.time : fence == mark.id);
  }
  static const store::Fields kFields;
};
std::optional<HealthMark> health_mark(store::Store& store, const std::string& host);
std::vector<HealthMark> health_marks(store::Store& store, BrokenMarks* broken = nullptr);
void put(store::Store& store, const HealthMark& mark);
bool remove_health(store::Store& store, const std::string& host);

}  // namespace rackline::cluster
