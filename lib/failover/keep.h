// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "failover/recovery_verdict.h"
#include "store/document.h"
#include "store/store.h"

namespace rackline::failover {

// A protected server that is wanted and is off on hosts that live belongs to nobody: no host has died of
// which a fence could tell. It is started where it was, else elsewhere. After a power failure of the site, a
// self-fence, a reboot, a guest that died.

struct KeepPolicy {
  int at_home = 2;                   // starts on its host within the window, then elsewhere
  int in_all = 4;                    // starts within the window, then a person is called
  int rounds = 8;                    // starts in a row that failed, then nobody but a person goes on
  std::chrono::seconds window{600};  // that a start counts
  std::chrono::seconds backoff{10};  // after the first start, twice that after each more
  std::chrono::seconds grace{30};    // that its host is given before it goes elsewhere
  // The same where servers of several hosts were off at once: the power has failed, hosts come back one after
  // the other, and all servers at once on the first of them would be another failure.
  std::chrono::seconds storm_grace{120};
};

// What is remembered of one server, under keep/NAME: a command that runs once a minute has to know of the
// starts of those before it.
struct KeepNote {
  std::string vm;
  std::optional<std::chrono::sys_seconds> since;  // that it was first seen off
  bool storm = false;                             // those of other hosts were off then, too
  std::vector<std::chrono::sys_seconds> starts;   // the latest last
  int failed = 0;                                 // starts in a row, while it was off
  std::string failure;                            // why the last of them did
  std::int64_t version = 0;                       // of the store's entry; 0: not stored yet
  static const store::Fields kFields;
};
// All throw Error(kUnreachable) for a store that does not answer. A note that cannot be read counts anew.
std::map<std::string, KeepNote> keep_notes(store::Store& store);
bool put(store::Store& store, const KeepNote& note);
// A person has looked: it is tried as if it had never been started.
void forget_starts(store::Store& store, const std::string& vm);

// Why nobody may start it although it is wanted: it could run, or it was stopped by somebody's wish. Empty
// when it may be started. Stricter than Situation::could_run(): each host that is not proven to be off has to
// answer, those in maintenance, too.
std::string keep_objection(const Situation& situation, const Protected& vm);

// Whether it is off on a host that lives, and was not stopped in an orderly way.
bool is_nobodys(const Situation& situation, const Protected& vm);

// Whether servers of more than one host are nobody's: a storm, and not the trouble of one host.
bool is_storm(const Situation& situation);

// Pure: what is to be done now for one that is_nobodys(). `note.since` has to be set.
Verdict judge_keep(const Situation& situation, const Protected& vm, const KeepNote& note,
                   const KeepPolicy& policy, std::chrono::sys_seconds now);

}  // namespace rackline::failover
