// SPDX-License-Identifier: Apache-2.0
#include "cli/bars.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace rackline::cli {
namespace {

constexpr std::size_t kLeastBar = 8;
constexpr std::size_t kMostBar = 30;
constexpr std::size_t kNumbers = 12;  // " 91% -> 60%!"
constexpr std::size_t kGap = 2;

// UTF-8 characters, not bytes.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

void pad(std::string& line, const std::string& text, std::size_t to) {
  line += text;
  line.append(to > width(text) ? to - width(text) : 0, ' ');
}

std::string numbers(const BarCell& cell) {
  const auto number = [](const std::optional<double>& value) {
    std::array<char, 16> text{};
    if (!value) return std::string("   -");
    std::snprintf(text.data(), text.size(), "%3.0f%%", std::clamp(*value, -99.0, 999.0));
    return std::string(text.data());
  };
  const bool over = cell.after.value_or(0) > cell.limit;
  return number(cell.before) + " ->" + number(cell.after) + (over ? "!" : " ");
}

std::string bar(const BarCell& cell, std::size_t size) {
  std::string text(size, ' ');
  const auto at = [&](double percent) {
    return static_cast<std::size_t>(
        std::lround(std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(size)));
  };
  const std::size_t full = cell.after ? at(*cell.after) : 0;
  std::fill(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(full), '=');
  if (cell.before) text[std::min(size - 1, std::max<std::size_t>(1, at(*cell.before)) - 1)] = '|';
  return "[" + text + "]";
}

// Red for what is too much, green for what is so no more.
std::string coloured(const BarCell& cell, const std::string& text) {
  const bool over = cell.after.value_or(0) > cell.limit;
  const bool was = cell.before.value_or(0) > cell.limit;
  if (over) return "\x1b[31m" + text + "\x1b[0m";
  if (was) return "\x1b[32m" + text + "\x1b[0m";
  return text;
}

}  // namespace

std::string draw(const BarChart& chart, std::size_t columns, bool colour) {
  if (chart.rows.empty()) return {};
  std::size_t names = width(chart.name_heading);
  std::size_t notes = width(chart.note_heading);
  for (const BarRow& row : chart.rows) {
    names = std::max(names, width(row.name));
    notes = std::max(notes, width(row.note));
  }
  const std::size_t cells = std::max<std::size_t>(1, chart.headings.size());
  const std::size_t fixed = names + kGap + notes + cells * (kNumbers + kGap);
  std::size_t size = columns > fixed ? (columns - fixed) / cells : 0;
  size = size >= kLeastBar + 3 ? std::min(size - 3, kMostBar) : 0;  // two brackets and a blank
  const std::size_t cell_width = kNumbers + (size > 0 ? size + 3 : 0);

  std::string text;
  std::string line;
  pad(line, chart.name_heading, names + kGap);
  for (const auto& heading : chart.headings) pad(line, heading, cell_width + kGap);
  line += chart.note_heading;
  if (width(line) > columns) line.resize(columns);  // headings are ours, and ASCII
  text += (colour ? "\x1b[1m" : "") + line + (colour ? "\x1b[0m" : "") + "\n";
  for (const BarRow& row : chart.rows) {
    line.clear();
    std::size_t used = names + kGap;
    pad(line, row.name, used);
    for (const BarCell& cell : row.cells) {
      if (used + cell_width > columns) break;
      const std::string drawn = (size > 0 ? bar(cell, size) + " " : "") + numbers(cell);
      line += (colour ? coloured(cell, drawn) : drawn) + std::string(kGap, ' ');
      used += cell_width + kGap;
    }
    if (used + width(row.note) <= columns) line += row.note;
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::size_t output_columns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* told = std::getenv("COLUMNS");
  const long columns = told != nullptr ? std::strtol(told, nullptr, 10) : 0;
  return columns > 0 ? static_cast<std::size_t>(columns) : 80;
}

}  // namespace rackline::cli
