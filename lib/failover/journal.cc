// SPDX-License-Identifier: Apache-2.0
#include "failover/journal.h"

#include "store/describe.h"

namespace rackline::failover {

const store::Fields Intent::kFields{
    FIELD(Intent, vm),    FIELD(Intent, uuid),  FIELD(Intent, from),    FIELD(Intent, to),
    FIELD(Intent, fence), FIELD(Intent, cause), FIELD(Intent, attempt),
};
const store::Fields StartResult::kFields{FIELD(StartResult, outcome, store::kLater),
                                         FIELD(StartResult, to, store::kLater),
                                         FIELD(StartResult, reason, store::kLater)};

std::string journal_id(const cluster::FenceMark& fence, const std::string& vm) {
  return fence.id + "." + vm;
}

std::string vm_of_journal_id(const std::string& id) {
  return id.substr(id.find('.') + 1);
}

StartJournal start_journal(store::Store& store, const Clock& clock) {
  return {store, "failover", clock};
}

std::vector<Intent> open_starts(StartJournal& journal, std::vector<store::Unread>* broken) {
  std::vector<Intent> starts;
  for (auto& item : journal.open(broken)) {
    starts.push_back(std::move(item.intent));
    starts.back().id = item.id;
  }
  return starts;
}

}  // namespace rackline::failover
