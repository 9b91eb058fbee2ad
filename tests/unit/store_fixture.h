// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "memory_store.h"

namespace rackline::store {

// tests/fixtures/store/NAME.tsv: what programs have left in stores, one entry a line, its key, a tab and its
// value. They are never written anew: what stands in a store has to be read, and written as it was, by every
// later version.
inline std::string fixture(const std::string& name) {
  // Said by the build and not taken from __FILE__: a compiler cache may keep that of another checkout.
  const auto path = std::filesystem::path(RACKLINE_FIXTURES) / "store" / name;
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void fill(Store& store, const std::string& lines) {
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const auto tab = line.find('\t');
    store.commit({{}, {{line.substr(0, tab), line.substr(tab + 1)}}, {}});
  }
}

inline std::string lines_of(Store& store) {
  std::string lines;
  for (const auto& entry : store.list("")) lines += entry.key + '\t' + entry.value + '\n';
  return lines;
}

// Puts `text` under `key` and nothing else beside it.
inline void only(MemoryStore& store, const std::string& key, const std::string& text) {
  store.entries.clear();
  store.commit({{}, {{key, text}}, {}});
}

}  // namespace rackline::store
