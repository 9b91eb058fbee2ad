// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "migrate/move.h"
#include "record/kinds_inventory.h"
#include "record/kinds_migration.h"
#include "record/kinds_stream.h"

namespace rackline::migrate {

// Between the records of the stream and the words of migration.

Move move_of(const record::VmMove& decision);
record::VmMoved record_of(const Move& move, const MoveReport& report);
record::Progress record_of(const Move& move, const MoveProgress& progress);
std::map<std::string, MigrationHost> migration_hosts(const std::vector<record::Host>& inventory);

}  // namespace rackline::migrate
