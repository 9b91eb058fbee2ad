// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/id.h"
#include "etcd_cluster.h"

namespace rackline::store {

// The tests of lib/store run against every kind of store: "sqlite"; "etcd", three members on the loopback;
// "leader_killed", the same three, of which the leader is killed before the first of these tests. What one
// test writes stands below a prefix of its own, so that the shared engine needs no emptying.
inline EtcdCluster& shared_etcd() {
  static EtcdCluster cluster;
  return cluster;
}

inline void kill_leader_once() {
  static std::once_flag once;
  std::call_once(once, [] { shared_etcd().kill_member(shared_etcd().leader()); });
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

// One word from a process that was forked, to be heard once.
class Word {
 public:
  Word() {
    if (pipe(ends_.data()) != 0) throw std::runtime_error("no pipe");
  }
  ~Word() {
    close(ends_[0]);
    if (ends_[1] >= 0) close(ends_[1]);
  }
  Word(const Word&) = delete;
  Word& operator=(const Word&) = delete;
  void say(char word) { EXPECT_EQ(write(ends_[1], &word, 1), 1); }
  // Waits for it; nullopt if the process has ended without a word.
  std::optional<char> hear() {
    close(std::exchange(ends_[1], -1));
    char word = 0;
    return read(ends_[0], &word, 1) == 1 ? std::optional(word) : std::nullopt;
  }

 private:
  std::array<int, 2> ends_{};
};

// Runs a function in a process of its own, which is killed with this object at the latest.
class Forked {
 public:
  template <typename Function>
  explicit Forked(Function&& function) : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      function();
      _exit(0);
    } catch (...) {
      _exit(1);
    }
  }
  ~Forked() { kill(); }
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_;
};

class AnyStore : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "sqlite") return;
    if (!EtcdCluster::available()) GTEST_SKIP() << "no etcd here: apt install etcd-server";
    shared_etcd();
    if (GetParam() == "leader_killed") kill_leader_once();
  }
  std::string url() const {
    return GetParam() == "sqlite" ? "sqlite:" + (scratch_.path() / "state.db").string() : shared_etcd().url();
  }
  std::string key(const std::string& name) const { return "test-" + run_ + "/" + name; }
  std::string lock_name(const std::string& name) const { return name + "-" + run_; }

 private:
  ScratchDirectory scratch_;
  std::string run_ = random_id();
};

// Each kind is a suite of its own, so that all tests of one are over when the next begins.
#define RACKLINE_FOR_EVERY_STORE(Fixture)                                            \
  INSTANTIATE_TEST_SUITE_P(Sqlite, Fixture, testing::Values(std::string("sqlite"))); \
  INSTANTIATE_TEST_SUITE_P(Etcd, Fixture, testing::Values(std::string("etcd")));     \
  INSTANTIATE_TEST_SUITE_P(EtcdLeaderKilled, Fixture, testing::Values(std::string("leader_killed")))

}  // namespace rackline::store
