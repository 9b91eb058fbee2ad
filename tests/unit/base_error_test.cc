// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cerrno>

#include "base/error.h"

namespace rackline {
namespace {

TEST(Error, IsOneLineOfWhatOnWhatAndWhy) {
  const Error error(Status::kUnreachable, "connect", "h1", "no route", "is it on?");
  EXPECT_STREQ(error.what(), "connect: h1: no route");
  EXPECT_EQ(error.why(), "no route");
  EXPECT_EQ(error.hint(), "is it on?");
  EXPECT_EQ(error.status(), Status::kUnreachable);
}

TEST(Error, LeavesOutWhatIsNotSaid) {
  EXPECT_STREQ(Error(Status::kUsage, "read", "", "empty").what(), "read: empty");
  EXPECT_STREQ(Error(Status::kUsage, "read", "file", "").what(), "read: file");
}

TEST(Error, StaysOnOneLineWhateverItIsGiven) {
  EXPECT_STREQ(Error(Status::kNo, "ask", "h1", "two\nlines\r\nin all").what(), "ask: h1: two lines  in all");
}

TEST(Error, TakesItsReasonFromErrno) {
  errno = ENOENT;
  EXPECT_EQ(system_error(Status::kUsage, "open", "f").why(), "No such file or directory");
  EXPECT_EQ(system_error(Status::kUsage, "open", "f", EACCES).why(), "Permission denied");
}

}  // namespace
}  // namespace rackline
