// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "record/kinds_inventory.h"

namespace rackline::cluster {

// The storage arrays of the inventory in `path` ("-" is stdin), in its order; records of other kinds are left
// alone. Throws Error(kUsage) for a line that cannot be read, a name that no array may have (name.h), an
// array named twice, two with one portal, a portal that is none, a driver that we do not have, words of
// another driver, a CHAP name without its file, and when there is no array.
std::vector<record::Array> load_arrays(const std::string& path);

// ADDRESS:PORT of a portal that load_arrays() took.
std::string portal_address(const record::Array& array);

}  // namespace rackline::cluster
