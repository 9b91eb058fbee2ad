// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/appended_file.h"
#include "base/error.h"
#include "base/person.h"

namespace rackline {
namespace {

class AppendedFileTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string text(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void rename(const std::string& from, const std::string& to) const {
    std::filesystem::rename(folder_ + "/" + from, folder_ + "/" + to);
  }

  std::string folder_ = testing::TempDir() + "rackline-appended";
};

TEST_F(AppendedFileTest, GoesOnWithTheNextFileAfterARotation) {
  AppendedFile file("keep", folder_ + "/log");
  file.write("one\n");
  EXPECT_FALSE(file.moved());

  rename("log", "log.1");  // and nothing in its place
  EXPECT_TRUE(file.moved());
  file.follow_name();
  file.write("two\n");
  EXPECT_FALSE(file.moved());

  rename("log", "log.2");
  std::ofstream(folder_ + "/log") << "zero\n";  // another one in its place
  file.follow_name();
  file.write("three\n");

  EXPECT_EQ(text("log.1"), "one\n");
  EXPECT_EQ(text("log.2"), "two\n");
  EXPECT_EQ(text("log"), "zero\nthree\n");
}

TEST_F(AppendedFileTest, StaysWithItsFileWhereTheNextOneCannotBeMade) {
  AppendedFile file("keep", folder_ + "/log");
  std::filesystem::rename(folder_, folder_ + "-away");
  EXPECT_THROW(file.follow_name(), Error);
  file.write("one\n");
  std::filesystem::rename(folder_ + "-away", folder_);
  EXPECT_EQ(text("log"), "one\n");
}

TEST_F(AppendedFileTest, ACallForAPersonIsAWholeFile) {
  leave_call(folder_, "the sky falls");
  leave_call(folder_, "it has fallen");
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_NE(entry.path().filename().string().front(), '.');
    all += text(entry.path().filename().string());
  }
  EXPECT_TRUE(all == "the sky falls\nit has fallen\n" || all == "it has fallen\nthe sky falls\n") << all;
  EXPECT_THROW(leave_call(folder_ + "/none", "nobody hears it"), Error);
}

}  // namespace
}  // namespace rackline
