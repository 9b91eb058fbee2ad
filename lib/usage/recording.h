// SPDX-License-Identifier: Apache-2.0
#pragma once

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

  // Only of `hosts` and what is on them; of all, if there are none. `report` is told of samples that belong
  // to no whole round, and of those of `hosts` that are nowhere.
  Recording(record::Reader& reader, const std::string& source, std::vector<std::string> hosts,
            series::RoundReader::Report report);
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // The next whole round; false when there is none. Records of other kinds are left out: what follows from
  // samples is found anew. Throws Error(kUsage) where time runs backwards, and at the end of a recording
  // that had no whole round.
  bool next(Round& round);

 private:
  void take(record::Reader& reader);

  std::string source_;
  std::vector<std::string> hosts_;
  std::vector<std::string> unseen_;  // of these, not met so far
  series::RoundReader::Report report_;
  // Of the round that is being read.
  std::vector<record::HostSample> hosts_seen_;
  std::vector<record::VmSample> vms_seen_;
  series::RoundReader rounds_;
};

}  // namespace rackline::usage
