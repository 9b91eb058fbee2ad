// SPDX-License-Identifier: Apache-2.0
#include "proc/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/fd.h"

namespace rackline::proc {
namespace {

constexpr std::size_t kMostEnvironment = std::size_t{4} << 20;
constexpr int kRounds = 100;  // of looking, until nothing is found
constexpr useconds_t kPause = 2000;

std::string environment_of(const char* number) {
  const Fd file(open((std::string("/proc/") + number + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(1, '\0');  // so that each variable stands between two zeros
  char part[4096];
  ssize_t size = 0;
  while (file && text.size() < kMostEnvironment && (size = read(file.get(), part, sizeof part)) > 0)
    text.append(part, static_cast<std::size_t>(size));
  return text + '\0';
}

bool kill_once(const std::string& marker) {
  const std::string wanted = '\0' + marker + '\0';
  DIR* all = opendir("/proc");
  if (all == nullptr) return false;
  bool found = false;
  while (const dirent* entry = readdir(all)) {
    const char* number = entry->d_name;
    if (*number < '1' || *number > '9') continue;
    const pid_t pid = static_cast<pid_t>(std::strtol(number, nullptr, 10));
    if (pid == getpid() || environment_of(number).find(wanted) == std::string::npos) continue;
    found |= kill(pid, SIGKILL) == 0;
  }
  closedir(all);
  return found;
}

[[noreturn]] void wait_for_the_end(int lifeline, pid_t group, const std::string& marker) {
  // Not with the group that a terminal's signals go to: those are for the program to obey.
  setpgid(0, 0);
  sigset_t all{};
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  // Nothing of the program's, and not the other ends of the lifelines of its other threads.
  if (lifeline > 0) dup2(lifeline, 0);
  close_range(1, ~0U, 0);
  char none = 0;
  while (read(0, &none, 1) < 0 && errno == EINTR) {
  }
  kill(-group, SIGKILL);
  if (!marker.empty()) kill_marked(marker);
  _exit(0);
}

}  // namespace

void kill_marked(const std::string& marker) {
  // One that is found may have started another before it was killed.
  for (int round = 0; round < kRounds && kill_once(marker); ++round) usleep(kPause);
}

Executor::Executor(pid_t group, const std::string& marker) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return;  // without it everything else works as before
  waiting_ = fork();
  if (waiting_ == 0) wait_for_the_end(ends[0], group, marker);
  close(ends[0]);
  lifeline_ = ends[1];
}

Executor::~Executor() {
  if (waiting_ > 0) {
    kill(waiting_, SIGKILL);
    while (waitpid(waiting_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (lifeline_ >= 0) close(lifeline_);
}

}  // namespace rackline::proc
