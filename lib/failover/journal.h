// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cluster/marks.h"
#include "store/document.h"
#include "store/journal.h"

namespace rackline::failover {

// A start: what is to be begun.
struct Intent {
  std::string id;  // of the journal: the fence's id, a dot, and the VM
  std::string vm, uuid, from, to;
  std::string fence, cause;
  int attempt = 1;
  static const store::Fields kFields;
};

// What became of it.
struct StartResult {
  std::string outcome, to, reason;  // done or failed; the host; why it failed
  static const store::Fields kFields;
};

using StartJournal = store::Journal<Intent, StartResult>;

std::string journal_id(const cluster::FenceMark& fence, const std::string& vm);
std::string vm_of_journal_id(const std::string& id);

// Starts without a result, oldest first. Throws Error(kUnreachable) for one that cannot be read, unless that
// is to be told in `broken`.
std::vector<Intent> open_starts(StartJournal& journal, std::vector<store::Unread>* broken = nullptr);
// The same of a store. The journal that failover, protect and clear share.
StartJournal start_journal(store::Store& store, const Clock& clock);

}  // namespace rackline::failover
