// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "cli/program.h"
#include "reserve/command.h"

namespace rackline::reserve {

enum class Verb {
  kPoolAdd,
  kPoolSet,
  kPoolRemove,
  kPoolList,
  kClaim,
  kExtend,
  kChange,
  kRelease,
  kBorrow,
  kReclaim,
  kList,
  kCheck,
  kApply,
};

// Carries out a verb; with `whatif` it is only tried.
using Act = std::function<Status(Verb verb, bool whatif)>;

// Declares the commands and options of reserve; what is typed arrives in `command`.
void declare(cli::Program& program, Command& command, const Act& act);

}  // namespace rackline::reserve
