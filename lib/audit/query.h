// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace rackline::audit {

// Which lines of a trail are wanted: those that fit all that is given here.
struct Query {
  std::optional<std::chrono::sys_seconds> since = {},
                                          until = {};  // the record's own time, else that of the line
  std::string kind = {};                               // of the record, or of the line
  std::string object = {};   // any field of the record that is this name, or a list with it
  std::string cause = {};    // the incident
  std::string outcome = {};  // of the record
  std::string actor = {}, host = {}, request = {};  // of the line

  // Lines that tell about the trail itself fit only when they are asked for by kind, actor, host or time.
  bool fits(std::string_view line) const;
};

// "2026-11-22T12:00:00Z", or how long ago: "2h". Throws Error(kUsage).
std::chrono::sys_seconds parse_when(std::string_view text, std::chrono::sys_seconds now);

}  // namespace rackline::audit
