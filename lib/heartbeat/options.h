// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "heartbeat/agent.h"
#include "heartbeat/membership.h"

namespace rackline::heartbeat {

// What the command line says.
struct Options {
  std::string key_file = "/etc/rackline/heartbeat.key", cluster = "rackline", listen, detector = "fixed",
              fence_method = "power";
  AgentOptions agent;
  std::vector<std::string> watchers;
  WatchPolicy policy;
  std::string record_file, trace = "-", host, state;
  std::vector<double> phis{1, 2, 3, 5, 8, 12};
  std::vector<double> timeouts_ms{1200, 1500, 2000, 3000, 4000, 6000};
  Milliseconds suspect_after{0}, dead_after{0};  // 0: as suits the interval
  std::string until, reason;
  bool once = false, lead = false, accept_shared = false;
  std::string made_key, key_host;
  bool renew = false, retire = false;
};

void declare_common(cli::Options at, Options& options);
void declare_beat(cli::Options at, Options& options);
void declare_watch(cli::Options at, Options& options);
void declare_replay(cli::Options at, Options& options);
void declare_maintenance(cli::Options at, Options& options);
void declare_key(cli::Options at, Options& options);

}  // namespace rackline::heartbeat
