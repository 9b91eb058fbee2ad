// SPDX-License-Identifier: Apache-2.0
#include "storage/identity.h"

#include <algorithm>
#include <map>
#include <utility>

namespace rackline::storage {

std::string identity(const std::string& iqn, std::int64_t lun_number, const record::Text& serial) {
  return iqn + "\n" + std::to_string(lun_number) + "\n" + serial.value_or("");
}

std::vector<record::IdentityConflict> identity_conflicts(const std::vector<record::LunSample>& luns) {
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> owners;
  for (const auto& lun : luns) {
    const std::string name = lun.array + "/" + lun.lun;
    if (lun.serial && !lun.serial->empty()) owners[{"serial", *lun.serial}].push_back(name);
    if (lun.naa) owners[{"naa", *lun.naa}].push_back(name);
  }
  std::vector<record::IdentityConflict> conflicts;
  for (auto& [identity, names] : owners) {
    if (names.size() < 2) continue;
    std::sort(names.begin(), names.end());
    record::IdentityConflict& conflict = conflicts.emplace_back();
    conflict.identity = identity.first;
    conflict.value = identity.second;
    conflict.luns = std::move(names);
  }
  return conflicts;
}

}  // namespace rackline::storage
