// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace rackline::cli {

// Bars of what is before and after, a row for each object, for people: aligned, within a width, and without
// colour on demand. The same facts stand in the records; nothing is parsed from here.

struct BarCell {
  std::optional<double> before, after;  // percent; unknown: no bar
  double limit = 100;                   // above this it is too much: marked, and red where there is colour
};

struct BarRow {
  std::string name;
  std::string note;  // a short text at the end: "16 -> 12"
  std::vector<BarCell> cells;
};

struct BarChart {
  std::string name_heading;
  std::string note_heading;
  std::vector<std::string> headings;  // one for each cell of a row
  std::vector<BarRow> rows;
};

// Lines with a newline each. A cell is a bar of what is after, `=`, in which what it was before is marked by
// `|`, and the two numbers; where the width is too small for bars there are the numbers only, and where it is
// too small for these, lines are cut. What is above its limit has a `!`.
std::string draw(const BarChart& chart, std::size_t columns, bool colour);

// Columns of the terminal on stdout, else $COLUMNS, else 80.
std::size_t output_columns();

}  // namespace rackline::cli
