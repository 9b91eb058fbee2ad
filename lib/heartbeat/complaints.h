// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "net/udp.h"

namespace rackline::heartbeat {

// What is refused or does not fit together, for a person: of each kind at once the first time, and then once
// a minute. A flood is one line, which says how often and from where.
class Complaints {
 public:
  explicit Complaints(std::function<void(const std::string&)> warn) : warn_(std::move(warn)) {}

  // `from` and `detail` may be empty; of both the last ones are told. What a stranger can choose at will
  // belongs into `detail`. Of more than kMost different ones between two times of telling the rest is
  // counted.
  void add(const std::string& what, const net::Endpoint& from, const std::string& detail = {});
  void tell(Milliseconds now);

 private:
  static constexpr std::size_t kMost = 64;
  struct Complaint {
    std::int64_t count = 0;
    net::Endpoint from;
    std::string detail;
    std::optional<Milliseconds> told;
  };
  std::function<void(const std::string&)> warn_;
  std::map<std::string, Complaint> complaints_;
  std::int64_t more_ = 0;
  std::optional<Milliseconds> more_told_;
};

}  // namespace rackline::heartbeat
