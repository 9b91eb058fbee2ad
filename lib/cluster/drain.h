// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cluster/state.h"
#include "record/reader.h"

namespace rackline::cluster {

struct DrainRequest {
  std::string host;
  std::string reason, by;
  std::optional<std::chrono::sys_seconds> until;
  bool force = false;  // also when it moves more of the fleet than capplan allows at once
  bool dry_run = false;
};

struct DrainReport {
  enum class Outcome { kDone, kAlready, kFailed, kRefused, kInterrupted, kUnreachable };
  Outcome outcome = Outcome::kFailed;
  std::int64_t moved = 0, rounds = 0;
  std::vector<std::string> left;  // VMs that are still on the host
  std::string reason;
};
const char* name_of(DrainReport::Outcome outcome);

// Empties a host by the programs that do each part: capwatch sees, capplan evacuate plans, migrate moves. The
// mark comes first, so that nothing is placed on the host meanwhile, and the host is in maintenance in the
// end. Everything is derived anew in each round, so a drain that was killed is finished by repeating it.
class Drain {
 public:
  // What a program printed, and its exit status.
  struct Ran {
    int status = 0;
    std::string out, err;
  };
  struct World {
    store::Store& store;
    const Clock& clock;
    std::vector<std::string> hosts;  // of the inventory
    // Runs a program of the toolkit with its arguments and its standard input. A stop that is asked for
    // meanwhile is handed on to migrate.
    std::function<Ran(const std::vector<std::string>& argv, const std::string& input)> run;
    std::function<bool()> stopping;
    std::function<void(Milliseconds)> sleep;
    std::function<void(record::Reader&)> pass;  // what was moved, or would be, record by record
  };

  explicit Drain(World world) : world_(std::move(world)) {}

  // Throws Error(kUsage) for a host that is not in the inventory, Error(kBusy) while another drain is at
  // work, and Error(kUnreachable) when the hosts cannot be seen.
  DrainReport run(const DrainRequest& request);

 private:
  std::string objection(const std::string& host) const;
  DrainReport empty_it(const DrainRequest& request);
  bool begin(const DrainRequest& request);
  std::string taken_back(const std::string& host, bool in_maintenance) const;
  bool end_in_maintenance(const DrainRequest& request);
  DrainReport plan_only(const DrainRequest& request);
  std::string look(const std::string& window = "1s");  // one round of capwatch
  Ran plan(const DrainRequest& request, const std::string& facts);

  World world_;
};

}  // namespace rackline::cluster
