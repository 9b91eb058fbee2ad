// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "record/reader.h"

namespace rackline::record {

// A file in memory that holds `text`, read from its start.
inline Fd file_of(std::string_view text) {
  Fd file(memfd_create("stream", MFD_CLOEXEC));
  EXPECT_EQ(write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(lseek(file.get(), 0, SEEK_SET), 0);
  return file;
}

// A reader over `text` that keeps what it reports.
struct Stream {
  explicit Stream(std::string_view text, Policy policy = Policy::kSkip)
      : file(file_of(text)), reader(file.get(), "stream", policy, [this](const Problem& problem) {
          problems.push_back(problem.text());
        }) {}

  Fd file;
  std::vector<std::string> problems;
  Reader reader;
};

}  // namespace rackline::record
