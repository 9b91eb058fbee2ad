// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "failover/protection.h"
#include "failover/recovery_cluster.h"
#include "migrate/move.h"

namespace rackline::failover {

// Why a definition can be started on no host but its own: a device, or a disk that no other host sees. Pure;
// empty when it can, or when its host is not in the inventory.
std::string tie_to_host(const Protected& vm, const migrate::VmDescription& description,
                        const std::map<std::string, migrate::MigrationHost>& hosts);

// On which hosts a VM could be started, found out before it has to be: by its definition, and by
// what each host says that it lacks. A host that does not answer keeps what was found of it before.
class Fitness {
 public:
  // All references must outlive it.
  Fitness(const std::map<std::string, migrate::MigrationHost>& hosts, const View& view,
          RecoveryCluster& cluster, Milliseconds timeout)
      : hosts_(hosts), view_(view), cluster_(cluster), timeout_(timeout) {}

  // Sets `unfit` and `pinned`.
  void find(Protected& vm);

 private:
  using Lack = std::optional<std::string>;
  Lack lack_of(const std::string& host, const migrate::VmDescription& description, const std::string& home);
  template <class Question>
  Lack ask_once(const std::string& host, const std::string& key, Question question);

  const std::map<std::string, migrate::MigrationHost>& hosts_;
  const View& view_;
  RecoveryCluster& cluster_;
  Milliseconds timeout_;
  std::map<std::string, Lack> answers_;  // many definitions need the same
  std::set<std::string> hung_;           // not waited for once more
};

}  // namespace rackline::failover
