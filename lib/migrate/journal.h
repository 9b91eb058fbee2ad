// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "migrate/move.h"
#include "store/journal.h"

namespace rackline::migrate {

// What the journal keeps of a move: all that is needed to learn its fate without the plan it came from. Never
// the VM's definition, which may hold passwords; it is on one of the two hosts at every instant.
struct MoveIntent {
  Move move;
  bool live = true;
  bool autostart = false;  // to be set on the target
};

std::string to_document(const MoveIntent& intent);
// Throws Error(kUnreachable) for a document that is no intent.
MoveIntent intent_of(const store::Journal::Item& item);

std::string to_document(const MoveReport& report);
bool was_done(const store::Journal::Item& item);  // it has a result, and that says so

}  // namespace rackline::migrate
