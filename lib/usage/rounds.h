// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "usage/exposition.h"
#include "usage/recording.h"
#include "usage/watch.h"

namespace rackline::usage {

// What becomes of rounds of samples, wherever they come from: windows, a recording, a page of metrics; each
// only if it is wanted.
class Rounds {
 public:
  struct Wanted {
    std::optional<WatchPolicy> windows;
    std::string record;                        // the file of the recording, or empty
    std::function<void(std::string)> metrics;  // is handed the page of each round, or empty
  };

  // Throws Error(kUnreachable) as the recording does, and so do the others.
  explicit Rounds(Wanted wanted);

  // Samples of the present round. Heads must be complete.
  template <class Sample>
  void add(const Sample& sample) {
    if (watch_) watch_->add(sample);
    if (recording_) recording_->add(sample);
    if (page_) page_->add(sample);
  }
  // Closes the round, at a time on a clock that never steps. The records that follow from it, complete but
  // for `tool`.
  Watch::Round end_round(const record::RoundEnd& end, Milliseconds at);
  // After the last round; closes the recording.
  void end(record::Time time, const std::string& outcome);

  std::int64_t rounds() const { return rounds_; }
  std::optional<std::int64_t> fluctuations() const;  // that have begun

 private:
  std::function<void(std::string)> metrics_;
  std::optional<Watch> watch_;
  std::optional<series::RecordingWriter> recording_;
  std::optional<Exposition> page_;
  std::string tool_;
  std::int64_t rounds_ = 0, fluctuations_ = 0;
};

// Calls `on_host` with each host and then `on_vm` with its VMs, as hosts are sampled; those of
// hosts that are not there come last.
void by_host(std::vector<record::HostSample>& hosts, std::vector<record::VmSample>& vms,
             const std::function<void(record::HostSample&)>& on_host,
             const std::function<void(record::VmSample&)>& on_vm);

}  // namespace rackline::usage
