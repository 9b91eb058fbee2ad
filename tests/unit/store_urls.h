// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/id.h"

namespace rackline::store {

// The tests of lib/store run against every kind of store in RACKLINE_TEST_STORES ("sqlite" when it is not
// set; a URL of a running engine is used as it is). What one test writes stands below a prefix of its own, so
// that a shared engine needs no emptying.
inline std::vector<std::string> stores_under_test() {
  const char* given = std::getenv("RACKLINE_TEST_STORES");
  std::string rest = given != nullptr && *given != '\0' ? given : "sqlite";
  std::vector<std::string> stores;
  while (!rest.empty()) {
    const auto space = rest.find(' ');
    stores.push_back(rest.substr(0, space));
    rest = space == std::string::npos ? "" : rest.substr(space + 1);
  }
  return stores;
}

class ScratchDirectory {
 public:
  ScratchDirectory() : path_(std::filesystem::temp_directory_path() / ("rackline-store-" + random_id())) {
    std::filesystem::create_directory(path_);
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class AnyStore : public testing::TestWithParam<std::string> {
 protected:
  std::string url() const {
    return GetParam() == "sqlite" ? "sqlite:" + (scratch_.path() / "state.db").string() : GetParam();
  }
  std::string key(const std::string& name) const { return "test-" + run_ + "/" + name; }
  std::string lock_name(const std::string& name) const { return name + "-" + run_; }

 private:
  ScratchDirectory scratch_;
  std::string run_ = random_id();
};

}  // namespace rackline::store
