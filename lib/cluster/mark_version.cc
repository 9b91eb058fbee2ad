// SPDX-License-Identifier: Apache-2.0
#include "cluster/mark_version.h"

#include "store/document.h"

namespace rackline::cluster {

std::int64_t fence_mark_version(store::Store& store, const std::string& host) {
  const auto entry = store.get("fence/" + store::key_part(host));
  return entry ? entry->version : 0;
}

}  // namespace rackline::cluster
