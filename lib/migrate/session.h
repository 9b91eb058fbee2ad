// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "base/error.h"
#include "cli/program.h"
#include "migrate/engine.h"
#include "store/store.h"

namespace rackline::migrate {

// What else is done about a move that has ended.
using Finished = std::function<void(store::Store& store, const Move& move, const MoveReport& report)>;

// One run of migrate: carries out the plans on stdin, or with `resume` what was begun and has no result.
// Throws Error(kBusy) while another one is at work, and what reading, libvirt and the store throw.
Status run(cli::Program& program, const MigrationPolicy& policy, bool resume, const Finished& finished);

}  // namespace rackline::migrate
