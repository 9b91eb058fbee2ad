// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rackline::audit {

// Which lines of a trail are wanted: those that fit all that is given here.
struct Query {
  std::optional<std::chrono::sys_seconds> since = {},
                                          until = {};  // the record's own time, else that of the line
  std::string kind = {};                               // of the record, or of the line
  std::string object = {};   // any field of the record that is this name, or a list with it
  std::string cause = {};    // the incident
  std::string outcome = {};  // of the record: its field, or the end of its kind
  std::string actor = {}, host = {}, request = {};               // of the line
  std::vector<std::pair<std::string, std::string>> fields = {};  // of the record: name and value

  // Lines that tell about the trail itself fit only when they are asked for by kind, actor, host or time.
  bool fits(std::string_view line) const;
};

// What a kind says of its outcome by its name, as request_refused does; empty for all others.
std::string_view outcome_in(std::string_view kind);

// "owner=web". Throws Error(kUsage).
std::pair<std::string, std::string> parse_field(std::string_view text);

// "2026-11-22T12:00:00Z"; in local time "2026-11-22 08:00", "2026-11-22", "08:00" (today); how long ago:
// "2h"; "now". Throws Error(kUsage). `doubt` gets what a person has to be told about a local time that the
// clocks skip or show twice.
std::chrono::sys_seconds parse_when(std::string_view text, std::chrono::sys_seconds now,
                                    std::string* doubt = nullptr);

}  // namespace rackline::audit
