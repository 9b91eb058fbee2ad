// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rackline::cli {

// A key of a configuration, and its value as an option takes it: a list with commas in between.
struct Setting {
  std::vector<std::string> section;
  std::string key;
  std::string value;
  std::int64_t line = 0;

  std::string name() const;  // "reserve.output"
};

// A section, which may hold nothing.
struct Section {
  std::vector<std::string> name;
  std::int64_t line = 0;
};

struct Configuration {
  std::vector<Section> sections;
  std::vector<Setting> settings;
};

// TOML 1.0 as far as options need it: no tables within values or lists, no dates, and no text of several
// lines. Throws Error(kUsage), naming `file` and the line, for all else and for what is no TOML.
Configuration parse_toml(std::string_view text, const std::string& file);

}  // namespace rackline::cli
