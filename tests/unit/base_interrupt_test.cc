// SPDX-License-Identifier: Apache-2.0
// A stop, once asked for, stays asked for: so each case runs in a child of its own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "base/interrupt.h"

namespace rackline::interrupt {
namespace {

// The exit status of a child that runs `body`; 128+n when signal n ended it.
int in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool readable(int fd) {
  pollfd watched{fd, POLLIN, 0};
  return poll(&watched, 1, 0) == 1;
}

TEST(Interrupt, TheFirstSignalAsksForAStop) {
  EXPECT_EQ(in_child([] {
              install();
              if (requested() || readable(fd())) return 1;
              raise(SIGTERM);
              return requested() && signal() == SIGTERM && readable(fd()) ? 0 : 2;
            }),
            0);
}

TEST(Interrupt, TheSecondOneExitsAtOnce) {
  EXPECT_EQ(in_child([] {
              install();
              raise(SIGINT);
              raise(SIGINT);
              return 0;
            }),
            128 + SIGINT);
}

TEST(Interrupt, ASignalThatOurParentWantsIgnoredStaysIgnored) {
  EXPECT_EQ(in_child([] {
              std::signal(SIGINT, SIG_IGN);
              install();
              raise(SIGINT);
              return requested() ? 1 : 0;
            }),
            0);
}

TEST(Interrupt, WaitingEndsAtTheDeadline) {
  EXPECT_EQ(in_child([] {
              install();
              const auto& clock = system_clock();
              const auto deadline = clock.monotonic() + Milliseconds{20};
              return wait_until(clock, deadline, false) == Woken::kTime && clock.monotonic() >= deadline ? 0
                                                                                                         : 1;
            }),
            0);
}

TEST(Interrupt, WaitingEndsWhenAStopIsAskedFor) {
  EXPECT_EQ(in_child([] {
              install();
              alarm(20);  // ends the child if the wait does not end
              request(SIGPIPE);
              const FakeClock clock;
              return wait_until(clock, Milliseconds{3'600'000}, false) == Woken::kInterrupt &&
                             signal() == SIGPIPE
                         ? 0
                         : 1;
            }),
            0);
}

TEST(Interrupt, WaitingEndsWhenTheReaderOfOurOutputIsGone) {
  EXPECT_EQ(in_child([] {
              install();
              alarm(20);
              int ends[2];
              if (pipe2(ends, O_CLOEXEC) != 0) return 1;
              dup2(ends[1], STDOUT_FILENO);
              close(ends[1]);
              close(ends[0]);
              const FakeClock clock;
              return wait_until(clock, Milliseconds{3'600'000}, true) == Woken::kReaderGone ? 0 : 2;
            }),
            0);
}

}  // namespace
}  // namespace rackline::interrupt
