// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "migrate/move.h"

namespace rackline::migrate {

// What a migration that was begun and whose end nobody saw has left behind, judged from both hosts alone.
struct MoveFate {
  enum class Verdict {
    kDone,          // the target has it, the source does not
    kFinish,        // the target has it; the source still has an idle definition, which may go
    kAdopt,         // its migration is still running
    kSource,        // the source has it as before, the target has nothing: not carried out
    kLeftover,      // as kSource, and the target has an incoming copy that never ran and may go
    kUnknown,       // a host did not answer
    kInconsistent,  // anything else: touch nothing, call a person
  };
  Verdict verdict = Verdict::kUnknown;
  std::string reason;
  bool passing = false;  // with kInconsistent: a migration's states are seen, and may be gone in a moment
};

// `source`, `target`: nothing when that host could not be asked. `live`: it was running when it was begun.
//
// kLeftover is given only where it is proven that removing the copy cannot lose anything: the source runs the
// VM, no job is under way there, and the copy's CPUs have never run: it is still paused for its own
// migration, or its start failed and only its definition is left, of which the source has its own. kFinish is
// given only where the source's definition has no process.
MoveFate judge(const Move& move, bool live, const std::optional<VmFacts>& source,
               const std::optional<VmFacts>& target);

}  // namespace rackline::migrate
