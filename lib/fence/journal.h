// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "store/document.h"
#include "store/journal.h"

namespace rackline::fence {

// What fence keeps of each fencing: an intent before the first command, a result after the mark.
class FenceJournal {
 public:
  struct Open {
    std::string id, host, cause;
    std::chrono::sys_seconds begun{};
    static const store::Fields kFields;
  };
  struct Result {
    std::string host, outcome;
    static const store::Fields kFields;
  };

  FenceJournal(store::Store& store, const Clock& clock) : journal_(store, "fence", clock), clock_(clock) {}

  // Durable when it returns.
  void begin(const std::string& id, const std::string& host, const std::string& cause);
  // outcome: fenced, failed, withdrawn (it showed life), superseded (a later fencing of the host took its
  // place).
  void end(const std::string& id, const std::string& host, const std::string& outcome);

  // Oldest first. What cannot be read is told in `broken` and is nobody's: it stops no other host.
  std::vector<Open> open(std::vector<store::Unread>* broken = nullptr);
  // How often the host was fenced in the time that ends now.
  int fenced_within(const std::string& host, Milliseconds window);
  void prune() { journal_.prune(); }

 private:
  store::Journal<Open, Result> journal_;
  const Clock& clock_;
};

}  // namespace rackline::fence
