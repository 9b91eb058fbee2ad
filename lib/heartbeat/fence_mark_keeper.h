// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "heartbeat/fence_mark_file.h"
#include "wait/latest.h"

namespace rackline::heartbeat {

// Keeps the marks of fencings on the shared storage as a watcher wants them, on a thread of its own: storage
// that hangs, or takes no writes, holds nobody up.
class FenceMarkKeeper {
 public:
  // The keys that the agent of a host may have. It signs with the first one; what any of them has signed is
  // its own. Called on that thread.
  using KeysOf = std::function<std::vector<std::string>(const std::string& host)>;

  // `hosts`: the inventory.
  FenceMarkKeeper(std::string directory, std::string cluster, KeysOf keys_of,
                  const std::vector<std::string>& hosts);

  // From now on these marks are to stand there, and no other of this cluster's hosts.
  void keep(std::vector<FenceMarkText> wanted) { work_.post(std::move(wanted)); }
  // What is wrong, for a person: what the last passes found since this was asked.
  std::set<std::string> troubles();

 private:
  struct Place;
  std::shared_ptr<Place> place_;
  wait::Latest<std::vector<FenceMarkText>> work_;
};

// One pass over the directory; returns what is wrong there. What is not proven to be a mark of ours, and
// marks of hosts that are not in the inventory, are told and left as they are.
std::set<std::string> keep_fence_marks(const std::string& directory, const std::string& cluster,
                                       const FenceMarkKeeper::KeysOf& keys_of,
                                       const std::set<std::string>& hosts,
                                       const std::vector<FenceMarkText>& wanted);

}  // namespace rackline::heartbeat
