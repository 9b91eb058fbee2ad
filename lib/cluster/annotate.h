// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>

#include "cluster/state.h"
#include "record/kinds_capacity.h"

namespace rackline::cluster {

// The states of hosts as an observer tells them: read once a round, from a store that it does not create.
class Observed {
 public:
  explicit Observed(std::string store_url) : url_(std::move(store_url)) {}

  // Reads the marks. Returns why they cannot be read, which makes every host unknown: less is done then, and
  // not more. Empty when all is well, and where there is no store yet.
  std::string read(std::chrono::sys_seconds now);

  // Sets the cluster_ fields of the sample.
  void annotate(record::HostSample& sample) const;

 private:
  std::string url_, error_;
  std::unique_ptr<store::Store> store_;
  std::map<std::string, HostStatus> hosts_;  // that do not serve
};

}  // namespace rackline::cluster
