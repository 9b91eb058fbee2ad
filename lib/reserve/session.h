// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.h"
#include "cli/program.h"
#include "reserve/command.h"
#include "reserve/options.h"

namespace rackline::reserve {

// Carries out one command of reserve and writes its records. With `whatif` nothing is changed.
Status carry_out(cli::Program& program, const Command& command, Verb verb, bool whatif);

}  // namespace rackline::reserve
