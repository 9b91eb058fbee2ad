// SPDX-License-Identifier: Apache-2.0
#include "proc/child.h"

#define BOOST_PROCESS_USE_STD_FS 1  // header-only: no libboost_filesystem at run time
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/process/args.hpp>
#include <boost/process/async_pipe.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>
#include <boost/process/search_path.hpp>
#include <cctype>
#include <csignal>
#include <optional>

#include "base/descriptors.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "proc/leftovers.h"

namespace rackline::proc {
namespace {

namespace asio = boost::asio;
namespace bp = boost::process;

// What a child says is kept in memory: one that never stops must not take all of it.
constexpr std::size_t kMostOutput = std::size_t{16} << 20;
// For a keeper to kill what it keeps, before it is killed itself.
constexpr Milliseconds kLastMoments{1000};

// A child that does not read its input must not end us: while one of these lives, a write to a closed pipe
// only fails. Per thread, because what SIGPIPE does to the whole process is the program's business.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    constexpr timespec kNow{};
    if (sigismember(&before_, SIGPIPE) == 0) {
      while (sigtimedwait(&pipe_, nullptr, &kNow) == SIGPIPE) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

std::string resolve(const std::string& program) {
  auto found = find_program(program);
  if (found.empty() && program.find('/') != std::string::npos) return program;
  if (found.empty()) throw Error(Status::kUnreachable, "start", program, "no such program in PATH");
  return found;
}

}  // namespace

std::string find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return access(program.c_str(), F_OK) == 0 ? program : "";
  auto found = bp::search_path(program);
  // Neither cron nor an ordinary user has the directories of system programs in PATH.
  if (found.empty()) found = bp::search_path(program, {"/usr/sbin", "/sbin"});
  return found.string();
}

bool stays_with_us(std::string_view name) {
  constexpr std::string_view kParts[] = {"PASSWORD", "PASSWD", "SECRET", "TOKEN"};
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  return name.starts_with("RACKLINE_") || name == "NOTIFY_SOCKET" || name == "CREDENTIALS_DIRECTORY" ||
         std::any_of(std::begin(kParts), std::end(kParts),
                     [&](std::string_view part) { return upper.find(part) != std::string::npos; });
}

Finished run(const std::vector<std::string>& argv, const std::string& input, Milliseconds timeout,
             Leavers leavers, Environment environment, Stop stop) {
  const std::string program = resolve(argv.at(0));
  // Boost 1.81 looks at the first character of each.
  if (std::any_of(argv.begin(), argv.end(), [](const auto& arg) { return arg.empty(); }))
    throw Error(Status::kUsage, "start", program, "one of its arguments is empty");
  asio::io_context io;
  bp::async_pipe in(io);
  bp::async_pipe out(io);
  bp::async_pipe err(io);
  std::error_code problem;
  const NoSigpipe no_sigpipe;
  // The child must not hold our locks and sockets (Boost's own limit_handles also closes the pipes given
  // here), nor inherit that we ignore SIGPIPE and what the calling thread blocks.
  const pid_t ours = getpid();
  std::optional<Keeper> keeper;
  if (leavers == Leavers::kKill) keeper.emplace();
  const auto clean = bp::extend::on_exec_setup([&](auto&) {
    if (keeper) {
      keeper->stand_between();
    } else {
      // Tied to the thread that forks, which is the one that waits here for the child.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != ours) _exit(1);
    }
    setpgid(0, 0);  // so that what it starts can be killed with it
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    restore_descriptor_limit();
    std::signal(SIGPIPE, SIG_DFL);
    std::signal(SIGXFSZ, SIG_DFL);
    sigset_t none{};
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
  });
  bp::environment variables;
  for (const auto& variable : boost::this_process::environment()) {
    // @rule 20-environment: true
    if (environment == Environment::kWhole || !stays_with_us(variable.get_name()))
      variables[variable.get_name()] = variable.to_string();
  }
  // Boost waits for a child that could not be started only if that has ended already.
  auto reap = bp::extend::on_error([](auto& executor, const std::error_code&) {
    if (executor.pid > 0) waitpid(executor.pid, nullptr, 0);
  });
  bp::child child(bp::exe = program, bp::args = std::vector<std::string>(argv.begin() + 1, argv.end()),
                  bp::std_in<in, bp::std_out> out, bp::std_err > err, variables, clean, reap, problem);
  if (problem) throw Error(Status::kUnreachable, "start", program, problem.message());

  // Boost.Process waits for children through SIGCHLD, which a library must not take from its program; a pidfd
  // becomes readable when the child ends and concerns nobody else.
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, child.id(), 0));
  if (pidfd < 0) throw system_error(Status::kUnreachable, "wait for", program);
  asio::posix::stream_descriptor exit(io, pidfd);

  // A copy, which Asio may close.
  const int asked = stop == Stop::kHandOn ? fcntl(interrupt::fd(), F_DUPFD_CLOEXEC, 0) : -1;
  std::optional<asio::posix::stream_descriptor> stopping;
  if (asked >= 0) {
    stopping.emplace(io, asked);
    stopping->async_wait(asio::posix::stream_descriptor::wait_read, [&](const auto& cancelled) {
      if (!cancelled) ::kill(child.id(), SIGTERM);  // not waited for yet, so the number is still its own
    });
  }

  Finished finished;
  bool exited = false;
  exit.async_wait(asio::posix::stream_descriptor::wait_read, [&](const auto&) { exited = true; });
  asio::async_write(in, asio::buffer(input), [&](const auto&, std::size_t) { in.close(); });
  // One more byte than is allowed tells that there were too many.
  bool flooded = false;
  const auto watch = [&flooded](const auto&, std::size_t size) { flooded = flooded || size > kMostOutput; };
  asio::async_read(out, asio::dynamic_buffer(finished.out, kMostOutput + 1), watch);
  asio::async_read(err, asio::dynamic_buffer(finished.err, kMostOutput + 1), watch);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!exited && !flooded && io.run_one_until(deadline) > 0) {
  }
  finished.timed_out = !exited && !flooded;
  // Also after its normal end: what it has left behind would act at a time of its own, when nobody expects it
  // any more. The child is not waited for yet, so the group is still its own.
  if (keeper) {
    keeper->end();
    const auto patience = std::chrono::steady_clock::now() + kLastMoments;
    while (!exited && io.run_one_until(patience) > 0) {
    }
  }
  ::kill(keeper ? child.id() : -child.id(), SIGKILL);
  io.poll();  // what the child has said is in the pipes; one that left the group may hold them open for ever
  in.cancel();
  out.cancel();
  err.cancel();
  if (stopping) stopping->cancel();
  io.poll();  // an unfinished read leaves the space that it had made for itself in the text
  child.wait(problem);
  if (flooded) {
    throw Error(Status::kUnreachable, "read what it says", program,
                "it said more than " + std::to_string(kMostOutput >> 20) + " MiB");
  }
  const int status = child.native_exit_code();
  finished.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return finished;
}

}  // namespace rackline::proc
