// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cluster/marks.h"
#include "cluster/state.h"
#include "record/kinds_cluster.h"

namespace rackline::cluster {

// What a person says of a host on a command line, and how it is shown.

// --until: a time to come ("2030-01-31T06:00:00Z") or a time from now ("2h"). Throws Error(kUsage).
std::chrono::sys_seconds parse_until(const std::string& text, std::chrono::sys_seconds now);

record::HostStatus record_of(const HostStatus& status);
// The mark alone, whatever else is true of the host; one that is over is none.
std::optional<record::HostStatus> record_of(const MaintenanceMark& mark, std::chrono::sys_seconds now);

}  // namespace rackline::cluster
