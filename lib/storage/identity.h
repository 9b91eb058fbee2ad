// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "record/kinds_storage.h"

namespace rackline::storage {

// What stays with a LUN when it moves to another array: target, number and serial together. A serial alone is
// none, since arrays give the same one to several.
std::string identity(const std::string& iqn, std::int64_t lun_number, const record::Text& serial);
inline std::string identity(const record::LunSample& lun) {
  return identity(lun.iqn, lun.lun_number, lun.serial);
}

// LUNs of a round that clients would take for one: those of different arrays, targets or numbers with one
// serial or NAA. Without time and tool, in the order of their values.
std::vector<record::IdentityConflict> identity_conflicts(const std::vector<record::LunSample>& luns);

}  // namespace rackline::storage
