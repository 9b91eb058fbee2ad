// SPDX-License-Identifier: Apache-2.0
#include "record/kinds.h"

#include <algorithm>
#include <vector>

namespace rackline::record {
namespace {

// Chapter by chapter, and the subjects in the order of a cluster's night: what it has, what becomes of a
// host, where its VMs go.
std::vector<const Kind*> chapter_by_chapter() {
  std::vector<const Kind*> all;
  for (const auto chapter :
       {&Subject::written, &Subject::seen, &Subject::decided, &Subject::done, &Subject::stream}) {
    for (const Subject* subject :
         {&kInventoryKinds, &kCapacityKinds, &kStorageKinds, &kMigrationKinds, &kHeartbeatKinds, &kFenceKinds,
          &kFailoverKinds, &kPlanningKinds, &kBalancingKinds, &kClusterKinds, &kAuditKinds, &kReserveKinds,
          &kStreamKinds}) {
      const Subject::Kinds kinds = subject->*chapter;
      all.insert(all.end(), kinds.begin(), kinds.end());
    }
  }
  return all;
}

}  // namespace

std::span<const Kind* const> kinds() {
  static const std::vector<const Kind*> kAll = chapter_by_chapter();
  return kAll;
}

const Kind* find_kind(std::string_view name) {
  const auto all = kinds();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Kind* kind) { return kind->name == name; });
  return found == all.end() ? nullptr : *found;
}

}  // namespace rackline::record
