// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "store/store.h"

namespace rackline::cluster {

// The version of what stands in the place of the host's fence mark, readable or not; 0: nothing. A person who
// knows better may have a mark put over one that cannot be read.
std::int64_t fence_mark_version(store::Store& store, const std::string& host);

}  // namespace rackline::cluster
