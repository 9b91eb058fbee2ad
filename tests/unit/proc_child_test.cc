// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <future>
#include <thread>

#include "base/descriptors.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "proc/child.h"

namespace rackline::proc {
namespace {

constexpr Milliseconds kPatience{20'000};

TEST(Child, GetsItsInputAndItsOutputIsKept) {
  const auto finished = run({"cat"}, "hello\n", kPatience);
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.out, "hello\n");
  EXPECT_EQ(finished.err, "");
  EXPECT_FALSE(finished.timed_out);
}

TEST(Child, ItsStatusAndItsErrorsAreTold) {
  const auto finished = run({"sh", "-c", "echo no >&2; exit 7"}, "", kPatience);
  EXPECT_EQ(finished.status, 7);
  EXPECT_EQ(finished.err, "no\n");
  EXPECT_EQ(run({"sh", "-c", "kill -9 $$"}, "", kPatience).status, 128 + SIGKILL);
}

TEST(Child, HasTheLimitOfDescriptorsThatWeWereStartedWith) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{std::min<rlim_t>(200, before.rlim_max), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  raise_descriptor_limit();
  rlimit raised{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &raised), 0);
  EXPECT_EQ(raised.rlim_cur, std::min<rlim_t>(before.rlim_max, 65'536));
  EXPECT_EQ(run({"sh", "-c", "ulimit -Sn"}, "", kPatience).out, std::to_string(low.rlim_cur) + "\n");
  setrlimit(RLIMIT_NOFILE, &before);
}

// More than the pipes hold, in both directions at once.
TEST(Child, LargeInputAndOutputDoNotBlockEachOther) {
  const std::string large(4 << 20, 'x');
  EXPECT_EQ(run({"cat"}, large, kPatience).out, large);
}

TEST(Child, ThatReadsNothingDoesNotKillUs) {
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(run({"true"}, large, kPatience).status, 0);
}

TEST(Child, ArgumentsAreNotReadByAShell) {
  EXPECT_EQ(run({"printf", "%s", "a b;$HOME *'\""}, "", kPatience).out, "a b;$HOME *'\"");
}

TEST(Child, ThatNeverStopsTalkingIsKilledAndIsAnError) {
  const auto begun = std::chrono::steady_clock::now();
  for (const char* script : {"exec yes", "exec yes >&2", "head -c 20000000 /dev/zero"}) {
    EXPECT_THROW(run({"sh", "-c", script}, "", kPatience), Error) << script;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, kPatience);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
}

// In a process of its own: a stop that was asked for stays asked for.
TEST(Child, AStopIsHandedOnToOneThatIsToEndInItsOwnOrder) {
  const auto outcome = [] {
    interrupt::install();
    const std::string ready = testing::TempDir() + "/ready-" + std::to_string(getpid());
    std::thread asker([&] {
      while (access(ready.c_str(), F_OK) != 0) std::this_thread::sleep_for(Milliseconds{5});
      interrupt::request(SIGTERM);
    });
    const std::string script =
        "trap 'echo ended; exit 143' TERM; : >" + ready + "; while :; do sleep 0.02; done";
    const auto told =
        run({"sh", "-c", script}, "", kPatience, Leavers::kSpare, Environment::kCleaned, Stop::kHandOn);
    asker.join();
    unlink(ready.c_str());
    // Others come to their end.
    const auto left = run({"sh", "-c", "trap 'exit 9' TERM; sleep 0.2; echo done"}, "", kPatience);
    const bool good = told.status == 143 && told.out == "ended\n" && left.status == 0 && left.out == "done\n";
    _exit(good ? 0 : 1);
  };
  EXPECT_EXIT(outcome(), testing::ExitedWithCode(0), "");
}

TEST(Child, IsKilledAtItsDeadline) {
  const auto finished = run({"sh", "-c", "echo begun; exec sleep 1000"}, "", Milliseconds{300});
  EXPECT_TRUE(finished.timed_out);
  EXPECT_EQ(finished.status, 128 + SIGKILL);
  EXPECT_EQ(finished.out, "begun\n");
  // And nothing is left of it to be waited for.
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

bool is_gone(int pid) {
  for (int i = 0; i < 500; ++i) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string number, name, state;
    if (!(stat >> number >> name >> state) || state == "Z") return true;
    usleep(10'000);
  }
  return false;
}

// A script that is killed must not leave its present command behind, which may be about to do something.
TEST(Child, IsKilledWithWhatItHasStarted) {
  const auto finished = run({"sh", "-c", "sleep 1000 & echo $!; wait"}, "", Milliseconds{300});
  EXPECT_TRUE(finished.timed_out);
  EXPECT_TRUE(is_gone(std::stoi(finished.out)));
}

TEST(Child, LeavesNothingBehindWhenItEnds) {
  const auto finished = run({"sh", "-c", "sleep 1000 & echo $!"}, "", kPatience);
  EXPECT_EQ(finished.status, 0);
  EXPECT_TRUE(is_gone(std::stoi(finished.out)));
}

// A daemon that it starts keeps its pipes; the answer is there all the same.
TEST(Child, ThatLeavesADaemonBehindIsNotWaitedForLonger) {
  const auto finished = run({"sh", "-c", "setsid sleep 30 & echo $!; sleep 0.2"}, "", kPatience);
  EXPECT_EQ(finished.status, 0);
  EXPECT_FALSE(finished.timed_out);
  EXPECT_EQ(kill(std::stoi(finished.out), SIGKILL), 0);
}

// Also with the session, the group, the parent and the environment left behind.
TEST(Child, WhoseLeaversAreKilledLeavesNothingAtAll) {
  for (const char* script : {"setsid sleep 1000 & echo $!; sleep 0.3",
                             "setsid sh -c 'setsid sleep 1000 & echo $!' & sleep 0.3; exec sleep 1000",
                             "env -i setsid sh -c 'setsid sleep 1000 & echo $!' & sleep 0.3"}) {
    const auto finished = run({"sh", "-c", script}, "", Milliseconds{1500}, Leavers::kKill);
    ASSERT_NE(finished.out, "") << script;
    EXPECT_TRUE(is_gone(std::stoi(finished.out))) << script;
  }
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
}

// What one of them has left to itself is still at work for it when another ends.
TEST(Child, WhoseLeaversAreKilledLosesNoneWhenAnotherEnds) {
  auto one = std::async(std::launch::async, [] {
    const char* script = "env -i setsid sh -c 'sleep 1; echo done' & sleep 2";
    return run({"sh", "-c", script}, "", kPatience, Leavers::kKill).out;
  });
  while (one.wait_for(Milliseconds{0}) != std::future_status::ready)
    run({"sh", "-c", "setsid sleep 1000 &"}, "", kPatience, Leavers::kKill);
  EXPECT_EQ(one.get(), "done\n");
}

// Nobody would know of what it does after us.
TEST(Child, DoesNotOutliveUs) {
  const pid_t other = fork();
  if (other == 0) {
    const std::string file = "/tmp/rackline-child-" + std::to_string(getpid());
    try {
      run({"sh", "-c", "sleep 1000 & env -i setsid sleep 1000 & echo $! >" + file + "; exec sleep 1000"}, "",
          kPatience, Leavers::kKill);
    } catch (const std::exception&) {
    }
    _exit(0);
  }
  const std::string file = "/tmp/rackline-child-" + std::to_string(other);
  std::string left;
  for (int i = 0; i < 500 && left.empty(); ++i) {
    usleep(10'000);
    std::ifstream(file) >> left;
  }
  usleep(100'000);
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
  unlink(file.c_str());
  ASSERT_FALSE(left.empty());
  EXPECT_TRUE(is_gone(std::stoi(left)));
}

TEST(Child, HasNoneOfOurDescriptors) {
  const Fd ours(open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  const auto finished = run({"sh", "-c", "ls /proc/self/fd | wc -l"}, "", kPatience);
  EXPECT_EQ(finished.out, "4\n");  // ls's own 0, 1, 2 and the directory that it reads
}

TEST(Child, ThatDoesNotExistIsAnError) {
  for (const char* program : {"no-such-program-anywhere", "/no/such/program"}) {
    for (const auto leavers : {Leavers::kSpare, Leavers::kKill}) {
      try {
        run({program}, "", kPatience, leavers);
        ADD_FAILURE() << program;
      } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kUnreachable);
        EXPECT_NE(std::string(error.what()).find(program), std::string::npos);
      }
      EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    }
  }
}

TEST(ProcChild, SecretsOfOurEnvironmentStayWithUs) {
  setenv("RACKLINE_STORE", "sqlite:/secret-place", 1);
  setenv("SOME_password", "secret-word", 1);
  setenv("HARMLESS", "a=b c", 1);
  const auto cleaned = run({"env"}, "", kPatience).out;
  const auto whole = run({"env"}, "", kPatience, Leavers::kSpare, Environment::kWhole).out;
  unsetenv("RACKLINE_STORE");
  unsetenv("SOME_password");
  unsetenv("HARMLESS");
  EXPECT_EQ(cleaned.find("secret-"), std::string::npos) << cleaned;
  EXPECT_NE(cleaned.find("HARMLESS=a=b c\n"), std::string::npos) << cleaned;
  EXPECT_NE(cleaned.find("PATH="), std::string::npos);
  EXPECT_NE(whole.find("secret-place"), std::string::npos);
}

}  // namespace
}  // namespace rackline::proc
