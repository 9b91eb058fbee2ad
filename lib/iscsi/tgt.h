// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "iscsi/tgt_text.h"

namespace rackline::iscsi {

// A tgtd, asked by the commands of its own machine. Each call runs one and throws Error(kUnreachable) when it
// fails or says what makes no sense, Error(kTimeout) when it has said nothing in time.
class Tgt {
 public:
  // `admin` stands in front of each command, as ssh and the machine's name do; `control` is that of
  // tgtadm -C.
  Tgt(std::vector<std::string> admin, std::int64_t control)
      : admin_(std::move(admin)), control_(std::to_string(control)) {}

  std::vector<TgtTarget> targets(Milliseconds patience) const;
  std::vector<TgtCounters> counters(Milliseconds patience) const;
  // Of backing stores that are files; empty where there is none.
  TgtRoom room(const std::vector<std::string>& paths, Milliseconds patience) const;

 private:
  std::string tgtadm(const char* mode, const char* op, Milliseconds patience) const;
  std::string stat(std::vector<std::string> options, const std::string& paths, Milliseconds patience) const;
  std::string run(const std::vector<std::string>& command, const std::string& input,
                  Milliseconds patience) const;

  std::vector<std::string> admin_;
  std::string control_;
};

}  // namespace rackline::iscsi
