// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/id.h"
#include "base/own_file.h"

namespace rackline {
namespace {

namespace fs = std::filesystem;
constexpr uid_t kNobody = 65534;

class OwnFile : public testing::Test {
 protected:
  OwnFile() : home(fs::temp_directory_path() / ("rackline-own-" + random_id())) {
    for (const char* name : {"", "mine", "theirs"}) fs::create_directory(home / name);
    std::ofstream(home / "mine" / "file") << "x";
  }
  ~OwnFile() override { fs::remove_all(home); }
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;

  // Why it is refused; empty: it is not.
  static std::string refusal(const fs::path& path) {
    try {
      require_own_file("open", path.string());
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kRefused);
      return error.what();
    }
    return {};
  }
  static void give_away(const fs::path& path) {
    if (lchown(path.c_str(), kNobody, kNobody) != 0) GTEST_SKIP() << "may not give files away";
  }

  fs::path home;
};

TEST_F(OwnFile, ANameLeadsToItsFileThroughAllItsLinks) {
  fs::create_symlink("mine/file", home / "one");
  fs::create_symlink(home / "one", home / "two");
  fs::create_symlink("mine/new", home / "dangling");
  EXPECT_EQ(real_file(home / "mine" / "file"), home / "mine" / "file");
  EXPECT_EQ(real_file("file"), "file");
  EXPECT_EQ(real_file(home / "two"), home / "mine" / "file");
  EXPECT_EQ(real_file(home / "dangling"), home / "mine" / "new");
  EXPECT_EQ(refusal(home / "two"), "");
  EXPECT_EQ(refusal(home / "dangling"), "");
  fs::create_symlink("loop", home / "loop");
  EXPECT_EQ(real_file(home / "loop"), home / "loop");
}

TEST_F(OwnFile, WhatOthersCanWriteIsRefused) {
  EXPECT_EQ(refusal(home / "mine" / "file"), "");
  if (chown((home / "mine").c_str(), geteuid(), kNobody) != 0) GTEST_SKIP() << "may not give files away";
  for (const mode_t mode : {0666, 0660}) {
    ASSERT_EQ(chown((home / "mine" / "file").c_str(), geteuid(), kNobody), 0);
    chmod((home / "mine" / "file").c_str(), mode);
    EXPECT_NE(refusal(home / "mine" / "file").find("mine/file: others than its owner can write it"),
              std::string::npos);
  }
  chmod((home / "mine" / "file").c_str(), 0644);
  for (const mode_t mode : {0777, 01777, 0770}) {
    chmod((home / "mine").c_str(), mode);
    EXPECT_NE(refusal(home / "mine" / "file").find("mine: others"), std::string::npos);
    EXPECT_NE(refusal(home / "mine" / "new").find("mine: others"), std::string::npos);
  }
}

TEST_F(OwnFile, AGroupThatIsTheOwnersAloneIsNobodyElse) {
  if (geteuid() != 0) GTEST_SKIP() << "only of root it is known which group is its own";
  chmod((home / "mine").c_str(), 0775);
  chmod((home / "mine" / "file").c_str(), 0664);
  EXPECT_EQ(refusal(home / "mine" / "file"), "");
  chmod((home / "mine" / "file").c_str(), 0666);
  EXPECT_NE(refusal(home / "mine" / "file"), "");
}

TEST_F(OwnFile, WhatBelongsToSomebodyElseIsRefused) {
  std::ofstream(home / "mine" / "given") << "x";
  give_away(home / "mine" / "given");
  EXPECT_NE(refusal(home / "mine" / "given").find("given: it belongs to somebody else"), std::string::npos);
  give_away(home / "theirs");
  EXPECT_NE(refusal(home / "theirs" / "new").find("theirs: it belongs to somebody else"), std::string::npos);
}

TEST_F(OwnFile, ALinkThatSomebodyElseLaidOrCanChangeIsRefused) {
  fs::create_symlink("mine/file", home / "their-link");
  give_away(home / "their-link");
  EXPECT_NE(refusal(home / "their-link").find("their-link: it belongs"), std::string::npos);
  fs::create_symlink(home / "mine" / "file", home / "theirs" / "link");
  give_away(home / "theirs");
  EXPECT_NE(refusal(home / "theirs" / "link").find("theirs: it belongs"), std::string::npos);
  fs::create_directory_symlink("mine", home / "their-way");
  EXPECT_EQ(refusal(home / "their-way" / "file"), "");
  give_away(home / "their-way");
  EXPECT_NE(refusal(home / "their-way" / "file").find("their-way: it belongs"), std::string::npos);
}

}  // namespace
}  // namespace rackline
