// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "store/store.h"
#include "store_urls.h"

namespace rackline::store {
namespace {

// What only a file can suffer.

std::string failure_of(const std::string& url, Status expected) {
  try {
    Store::open(url)->commit({{}, {{"a", "1"}}, {}});
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), expected) << error.what();
    return error.what();
  }
  ADD_FAILURE() << url << " was taken";
  return {};
}

TEST(SqliteStore, CreatesItsDirectoryButNotAWholePath) {
  const ScratchDirectory scratch;
  EXPECT_NO_THROW(Store::open("sqlite:" + (scratch.path() / "new" / "state.db").string()));
  const std::string far = (scratch.path() / "no" / "such" / "state.db").string();
  EXPECT_NE(failure_of("sqlite:" + far, Status::kUnreachable).find("No such file or directory"),
            std::string::npos);
}

TEST(SqliteStore, ItsLocksAreThoseOfTheFileWhateverItsName) {
  const ScratchDirectory scratch;
  std::filesystem::create_symlink("state.db", scratch.path() / "alias.db");
  const auto store = Store::open("sqlite:" + (scratch.path() / "state.db").string());
  const auto alias = Store::open("sqlite:" + (scratch.path() / "alias.db").string());
  const auto held = store->try_lock("apply");
  EXPECT_TRUE(held);
  EXPECT_FALSE(alias->try_lock("apply"));
  alias->commit({{}, {{"a", "1"}}, {}});
  EXPECT_FALSE(std::filesystem::exists(scratch.path() / "alias.db.turn"));
  EXPECT_TRUE(std::filesystem::exists(scratch.path() / "state.db.turn"));
}

TEST(SqliteStore, WhatSomebodyElseCouldChangeIsRefusedAndNothingIsMadeOfIt) {
  const ScratchDirectory scratch;
  const auto open = scratch.path() / "open";
  std::filesystem::create_directory(open);
  chmod(open.c_str(), 0777);
  std::filesystem::create_symlink(scratch.path() / "target.db", open / "state.db");
  const std::string why = failure_of("sqlite:" + (open / "state.db").string(), Status::kRefused);
  EXPECT_NE(why.find("open: others than its owner can write it"), std::string::npos) << why;
  EXPECT_FALSE(std::filesystem::exists(scratch.path() / "target.db"));
  const auto own = scratch.path() / "state.db";
  Store::open("sqlite:" + own.string());
  for (const char* part : {"state.db", "state.db.turn"}) {
    chmod((scratch.path() / part).c_str(), 0666);
    EXPECT_NE(failure_of("sqlite:" + own.string(), Status::kRefused).find(part), std::string::npos);
    chmod((scratch.path() / part).c_str(), 0600);
  }
  EXPECT_NO_THROW(Store::open("sqlite:" + own.string())->commit({{}, {{"a", "1"}}, {}}));
}

// The locks of a process on a file are its own, not a connection's: whoever closes the file loses them all.
TEST(SqliteStore, ASecondConnectionOfAProcessTakesNothingFromTheFirst) {
  const ScratchDirectory scratch;
  const std::string url = "sqlite:" + (scratch.path() / "state.db").string();
  std::array<int, 2> ask{}, answer{};
  ASSERT_EQ(pipe(ask.data()), 0);
  ASSERT_EQ(pipe(answer.data()), 0);
  // Begun before the file is there: a child inherits what SQLite knows of its parent's locks.
  const pid_t other = fork();
  if (other == 0) {
    close(ask[1]);
    for (char word = 0; read(ask[0], &word, 1) == 1;) {
      word = Store::open(url)->get("a") ? 'y' : 'n';
      if (write(answer[1], &word, 1) != 1) break;
    }
    _exit(0);
  }
  const auto seen_by_the_other = [&] {
    char word = '?';
    return write(ask[1], &word, 1) == 1 && read(answer[0], &word, 1) == 1 ? word : '!';
  };
  const auto first = Store::open(url);
  const auto second = Store::open(url);
  EXPECT_EQ(seen_by_the_other(), 'n');  // it opens the file, and closes it as if nobody else had it
  first->commit({{}, {{"a", "1"}}, {}});
  EXPECT_TRUE(second->get("a"));
  EXPECT_EQ(seen_by_the_other(), 'y');
  close(ask[1]);
  waitpid(other, nullptr, 0);
  for (const int end : {ask[0], answer[0], answer[1]}) close(end);
}

TEST(SqliteStore, WhatWouldBeWrittenIntoALostFileIsAnError) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "state.db";
  const std::string url = "sqlite:" + path.string();
  for (const bool replaced : {false, true}) {
    const auto store = Store::open(url);
    store->commit({{}, {{"a", "1"}}, {}});
    std::filesystem::rename(path, scratch.path() / "away.db");
    if (replaced) Store::open(url)->commit({{}, {{"a", "2"}}, {}});
    try {
      store->commit({{}, {{"a", "3"}}, {}});
      ADD_FAILURE() << "it was acknowledged";
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::kUnreachable) << error.what();
    }
    if (replaced) {
      EXPECT_EQ(Store::open(url)->get("a")->value, "2");
    }
    for (const auto* name : {"state.db", "state.db-wal", "state.db-shm", "away.db"})
      std::filesystem::remove(scratch.path() / name);
  }
}

// By count, not by time: who asks for a turn waits for few of the other's.
TEST(SqliteStore, OneThatWritesWithoutAPauseLetsOthersHaveTheirTurn) {
  const ScratchDirectory scratch;
  const std::string url = "sqlite:" + (scratch.path() / "state.db").string();
  const auto store = Store::open(url);
  store->commit({{}, {{"busy", "0"}}, {}});
  const Forked busy([&] {
    const auto theirs = Store::open(url);
    for (int n = 1;; ++n) theirs->commit({{}, {{"busy", std::to_string(n)}}, {}});
  });
  while (store->get("busy")->value == "0") std::this_thread::yield();
  const int before = std::stoi(store->get("busy")->value);
  constexpr int kTurns = 200;
  for (int n = 0; n < kTurns; ++n) store->commit({{}, {{"mine", std::to_string(n)}}, {}});
  EXPECT_LE(std::stoi(store->get("busy")->value) - before, 5 * kTurns);
}

// Processes, not threads: SQLite's locks are those of a process.
TEST(SqliteStore, SeveralFirstUsersAtOnceAllGetIn) {
  for (int round = 0; round < 20; ++round) {
    const ScratchDirectory scratch;
    const std::string url = "sqlite:" + (scratch.path() / "state.db").string();
    std::array<int, 2> start{};
    ASSERT_EQ(pipe(start.data()), 0);
    std::vector<pid_t> children;
    for (int n = 0; n < 6; ++n) {
      children.push_back(fork());
      if (children.back() != 0) continue;
      close(start[1]);
      char none = 0;
      if (read(start[0], &none, 1) != 0) _exit(2);
      try {
        Store::open(url)->commit({{}, {{"user/" + std::to_string(n), "1"}}, {}});
        _exit(0);
      } catch (...) {
        _exit(1);
      }
    }
    close(start[1]);  // the starting shot
    close(start[0]);
    for (const pid_t child : children) {
      int status = -1;
      waitpid(child, &status, 0);
      EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(Store::open(url)->list("user/").size(), children.size());
  }
}

TEST(SqliteStore, IsReadableByItsOwnerOnly) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "state.db";
  Store::open("sqlite:" + path.string())->commit({{}, {{"a", "1"}}, {}});
  for (const auto& file : std::filesystem::directory_iterator(scratch.path())) {
    EXPECT_EQ(file.status().permissions() & std::filesystem::perms::others_all, std::filesystem::perms::none);
    EXPECT_EQ(file.status().permissions() & std::filesystem::perms::group_all, std::filesystem::perms::none);
  }
}

TEST(SqliteStore, LeavesWhatIsNoDatabaseAsItIs) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "notes.txt";
  const std::string text(2000, 'x');
  std::ofstream(path) << text;
  EXPECT_NE(failure_of("sqlite:" + path.string(), Status::kUnreachable).find("not a database"),
            std::string::npos);
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
}

TEST(SqliteStore, LeavesAForeignDatabaseAsItIs) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "mail.db";
  sqlite3* foreign = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &foreign), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(foreign, "CREATE TABLE mail (t TEXT)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(foreign);
  const auto before = std::filesystem::last_write_time(path);
  EXPECT_NE(failure_of("sqlite:" + path.string(), Status::kUnreachable).find("another program"),
            std::string::npos);
  EXPECT_EQ(std::filesystem::last_write_time(path), before);
}

TEST(SqliteStore, RefusesAFileOfANewerVersion) {
  const ScratchDirectory scratch;
  const auto path = scratch.path() / "state.db";
  Store::open("sqlite:" + path.string());
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "PRAGMA user_version=99", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  EXPECT_NE(failure_of("sqlite:" + path.string(), Status::kUnreachable).find("newer version"),
            std::string::npos);
}

TEST(SqliteStore, NamesADirectoryOrASchemeThatItCannotOpen) {
  const ScratchDirectory scratch;
  failure_of("sqlite:" + scratch.path().string(), Status::kUnreachable);
  failure_of("sqlite:", Status::kUsage);
  failure_of("etc://h1", Status::kUsage);
  failure_of("state.db", Status::kUsage);
}

// A file system of its own that is 256 KiB in size.
class SmallDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (mount("tmpfs", scratch_.path().c_str(), "tmpfs", 0, "size=256k,mode=700") != 0)
      GTEST_SKIP() << "may not mount";
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) umount2(scratch_.path().c_str(), MNT_DETACH);
  }
  std::string url() const { return "sqlite:" + (scratch_.path() / "state.db").string(); }
  ScratchDirectory scratch_;
  bool mounted_ = false;
};

TEST_F(SmallDisk, AFullDiskIsSaidAndLosesNothingThatWasCommitted) {
  const auto store = Store::open(url());
  store->commit({{}, {{"first", "1"}}, {}});
  std::string why;
  int committed = 0;
  try {
    for (; committed < 1000; ++committed) {
      store->commit({{}, {{"fill/" + std::to_string(committed), std::string(4000, 'x')}}, {}});
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUnreachable);
    why = error.what();
  }
  EXPECT_NE(why.find("state.db"), std::string::npos) << why;
  EXPECT_NE(why.find("full"), std::string::npos) << why;
  EXPECT_EQ(store->list("fill/").size(), static_cast<std::size_t>(committed));
  EXPECT_EQ(store->get("first")->value, "1");
}

TEST_F(SmallDisk, AReadOnlyFileSystemIsSaid) {
  Store::open(url())->commit({{}, {{"first", "1"}}, {}});
  ASSERT_EQ(mount(nullptr, scratch_.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  EXPECT_NE(failure_of(url(), Status::kUnreachable).find("Read-only file system"), std::string::npos);
}

}  // namespace
}  // namespace rackline::store
