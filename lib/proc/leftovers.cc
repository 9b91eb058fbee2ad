// SPDX-License-Identifier: Apache-2.0
#include "proc/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/error.h"

namespace rackline::proc {
namespace {

constexpr int kRounds = 100;  // of killing, until nobody is left
constexpr useconds_t kPause = 2000;

// 0 where there is none. The name before it may hold anything.
pid_t parent_of(const char* number) {
  char text[512] = {};
  const Fd file(open((std::string("/proc/") + number + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || read(file.get(), text, sizeof text - 1) <= 0) return 0;
  const char* name_end = std::strrchr(text, ')');
  if (name_end == nullptr || std::strlen(name_end) < sizeof ") S ") return 0;
  return static_cast<pid_t>(std::strtol(name_end + sizeof ") S " - 1, nullptr, 10));
}

void kill_children() {
  DIR* all = opendir("/proc");
  if (all == nullptr) return;
  while (const dirent* entry = readdir(all)) {
    const char* number = entry->d_name;
    if (*number < '1' || *number > '9' || parent_of(number) != getpid()) continue;
    kill(static_cast<pid_t>(std::strtol(number, nullptr, 10)), SIGKILL);
  }
  closedir(all);
}

// Whether a child of ours is left. The status of `child` is kept.
bool any_left(pid_t child, int& status) {
  for (;;) {
    int one = 0;
    const pid_t ended = waitpid(-1, &one, WNOHANG);
    if (ended == child) status = one;
    if (ended == 0) return true;
    if (ended < 0 && errno != EINTR) return false;
  }
}

[[noreturn]] void keep(pid_t child, int lifeline) {
  // Not with the group that a terminal's signals go to: those are for the program to obey.
  setpgid(0, 0);
  sigset_t all{};
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  std::signal(SIGCHLD, SIG_DFL);
  // Nothing of the program's, and not the other ends of the lifelines of its other threads.
  dup2(lifeline, 0);
  close_range(1, ~0U, 0);
  pollfd awaited[] = {{0, POLLIN, 0}, {static_cast<int>(syscall(SYS_pidfd_open, child, 0)), POLLIN, 0}};
  while (awaited[1].fd >= 0 && poll(awaited, 2, -1) < 0 && errno == EINTR) {
  }
  kill(-child, SIGKILL);  // it is not waited for yet, so the group is still its own
  int status = SIGKILL;
  // The children of those that are killed are ours in the next round.
  for (int round = 0; any_left(child, status) && round < kRounds; ++round) {
    kill_children();  // @rule 21-leavers
    usleep(kPause);
  }
  _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

}  // namespace

Keeper::Keeper() {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) throw system_error(Status::kUnreachable, "start", "a child");
  const Fd first(ends[0]);
  ours_ = Fd(ends[1]);
  its_ = Fd(fcntl(first.get(), F_DUPFD_CLOEXEC, 3));  // not where the child's standard streams come
  if (!its_) throw system_error(Status::kUnreachable, "start", "a child");
}

void Keeper::stand_between() const {
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // @rule 21-orphans-come-to-us
  const pid_t keeper = getpid();
  const pid_t child = fork();
  if (child < 0) _exit(1);
  if (child > 0) keep(child, its_.get());
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != keeper) _exit(1);
}

}  // namespace rackline::proc
