// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/appended_file.h"
#include "base/time.h"
#include "heartbeat/detector.h"
#include "record/kinds_heartbeat.h"

namespace rackline::heartbeat {

// Heartbeats as they arrived, and the truth about who died: what detectors are compared on.
class Trace {
 public:
  void add(const record::HeartbeatSeen& seen);
  void add(const record::HostDied& died);
  bool empty() const { return hosts_.empty(); }

  // How a detector would have done. A verdict while the host still sends is a false positive; after one, the
  // host is up again with its next heartbeat. Complete but for time and tool.
  record::DetectorScore score(const DetectorPolicy& policy) const;
  // Of fixed timeouts, and of thresholds of phi-accrual.
  std::vector<record::DetectorScore> compare(Milliseconds interval, const std::vector<double>& timeouts_ms,
                                             const std::vector<double>& phis) const;

 private:
  struct Host {
    std::vector<Milliseconds> seen;
    std::optional<Milliseconds> died;
  };
  std::map<std::string, Host> hosts_;
};

// Appends what arrives to a file, and to the next one when that is rotated.
class TraceFile {
 public:
  // Throws Error(kUnreachable), as write() does.
  explicit TraceFile(const std::string& path) : file_("record the heartbeats", path) {}
  void write(record::HeartbeatSeen seen, const Clock& clock);

 private:
  AppendedFile file_;
};

}  // namespace rackline::heartbeat
