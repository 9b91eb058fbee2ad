// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "migrate/move.h"
#include "store/document.h"
#include "store/journal.h"

namespace rackline::migrate {

// What the journal keeps of a move: all that is needed to learn its fate without the plan it came from. Never
// the VM's definition, which may hold passwords; it is on one of the two hosts at every instant.
struct MoveIntent {
  Move move;
  bool live = true;
  bool autostart = false;         // to be set on the target
  std::vector<Medium> ejected{};  // taken out before it moves; put back if it does not
  std::vector<DiskCopy> copies{};
  static const store::Fields kFields;
};
using MoveJournal = store::Journal<MoveIntent, MoveReport>;
MoveIntent intent_of(const MoveJournal::Item& item);  // with its id
bool was_done(const MoveJournal::Item& item);         // it has a result, and that says so

}  // namespace rackline::migrate
