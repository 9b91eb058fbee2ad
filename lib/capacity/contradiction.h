// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "capacity/facts.h"
#include "record/kinds_planning.h"

namespace rackline::capacity {

// What is wrong with the rules themselves, whatever the load is: each a sentence that names the rules.
struct Contradictions {
  // No placement on these hosts can obey them, whatever state the hosts are in.
  std::vector<std::string> impossible;
  // They cannot be obeyed by so few hosts, or not now: plans do what they can, and leave the rest broken.
  std::vector<std::string> doubtful;
  // They bind nothing that is there: perhaps a name is misspelt.
  std::vector<std::string> idle;
};

// Pins and exclusions that leave a VM no host; members of a group that others of it have to share
// a host or failure domain with because of such (Hall's condition, by a matching); dependencies in a circle,
// and those between VMs that are kept apart. `requests` count as VMs.
Contradictions contradictions(const Round& round, const Rules& rules,
                              const std::vector<record::VmRequest>& requests);

// "pin of web1 to h2"
std::string words(const record::PlacementRule& rule);

// The names by which hosts fail together, and are near to one another. A host of which nothing is said is one
// by itself; where no neighbourhood is told, the failure domain stands for it.
std::string domain_name(const record::HostSample& host);
std::string neighbourhood_name(const record::HostSample& host);

}  // namespace rackline::capacity
