// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "record/kind.h"

namespace rackline::record {

// The record as its line, without the line's end: compact JSON, UTF-8 (broken bytes become U+FFFD), the head
// first, fields in the order of the description. Numbers that are not integers are rounded to six decimals;
// NaN and infinity, which JSON cannot say, become null.
std::string to_line(const Kind& kind, const void* record);

template <class K>
std::string to_line(const K& record) {
  return to_line(K::kKind, &record);
}

// The fields of the record as cells for a table, in the order of the description: sizes, rates and durations
// in the units that people read, "-" for what is unknown. With `all` every field, otherwise those that have a
// heading.
std::vector<std::string> to_cells(const Kind& kind, const void* record, bool all);
// A record that is there only as its line, in the same words: "host_down  HOST h2  VERDICT dead". What is
// unknown is left out. Empty when the line is no record of that kind. `timed`: and before it when that was,
// if it says so.
std::string to_words(const Kind& kind, std::string_view line, bool timed = false);
// As a row shows when it was: "12:00:00Z".
std::string time_of_day(Time time);
std::vector<std::string> headings(const Kind& kind, bool all);
// True for columns of numbers, which are aligned to the right.
std::vector<bool> numeric(const Kind& kind, bool all);
// True for columns that are left out of a table in which they would be empty.
std::vector<bool> seldom(const Kind& kind, bool all);

}  // namespace rackline::record
