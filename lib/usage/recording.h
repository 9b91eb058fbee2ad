// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "record/kinds_capacity.h"
#include "record/kinds_stream.h"
#include "record/reader.h"
#include "series/recording.h"

namespace rackline::usage {

// Reads the rounds of a recording, one at a time.
class Recording {
 public:
  struct Round {
    Milliseconds at{0};
    std::vector<record::HostSample> hosts;
    std::vector<record::VmSample> vms;
    record::RoundEnd end;
  };
  using Report = std::function<void(const std::string&)>;

  // Only of `hosts` and what is on them; of all, if there are none. `report` is told of samples that belong
  // to no whole round, and of those of `hosts` that are nowhere.
  Recording(record::Reader& reader, std::string source, std::vector<std::string> hosts, Report report)
      : reader_(reader),
        source_(source),
        hosts_(std::move(hosts)),
        unseen_(hosts_),
        report_(std::move(report)),
        timeline_(std::move(source)) {}

  // The next whole round; false when there is none. Records of other kinds are left out: what follows from
  // samples is found anew. Throws Error(kUsage) where time runs backwards, and at the end of a recording
  // that had no whole round.
  bool next(Round& round);

 private:
  void drop(Round& round);

  record::Reader& reader_;
  std::string source_;
  std::vector<std::string> hosts_;
  std::vector<std::string> unseen_;  // of these, not met so far
  Report report_;
  series::Timeline timeline_;
  std::int64_t ends_ = 0, ends_at_round_ = 0, skipped_at_round_ = 0;
  bool any_ = false;
};

}  // namespace rackline::usage
