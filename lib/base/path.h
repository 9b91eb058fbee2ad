// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rackline {

// Whether `path` lies below one of `directories`. Compares by whole components after normalising; a relative
// path lies nowhere.
bool lies_below(std::string_view path, const std::vector<std::string>& directories);

// Whether a network disk, "gluster:vol1/db1.qcow2", is in one of `shared`, as "gluster:vol1" or "gluster:".
bool is_declared(std::string_view disk, const std::vector<std::string>& shared);

// Either of the two: whether a host that shares these sees the disk.
bool is_shared_in(std::string_view disk, const std::vector<std::string>& shared);

}  // namespace rackline
