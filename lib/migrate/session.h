// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "cli/program.h"
#include "migrate/engine.h"
#include "store/store.h"

namespace rackline::migrate {

// What else is done about a move that has ended.
using Finished = std::function<void(store::Store& store, const Move& move, const MoveReport& report)>;

// What a run of migrate is about: the plans on stdin if nothing else.
struct Task {
  bool resume = false;   // what was begun and has no result
  std::string vm, host;  // only this one, to there
  bool away = false;     // to where capplan would send it
  std::string rules;     // a file of placement rules, for that
};

// One run of migrate. Throws Error(kBusy) while another one is at work, and what reading, libvirt and the
// store throw.
Status run(cli::Program& program, const MigrationPolicy& policy, const Task& task, const Finished& finished);

}  // namespace rackline::migrate
