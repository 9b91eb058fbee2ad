// SPDX-License-Identifier: Apache-2.0
#include "proc/child.h"

#define BOOST_PROCESS_USE_STD_FS 1  // header-only: no libboost_filesystem at run time
#include <linux/close_range.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/process/args.hpp>
#include <boost/process/async_pipe.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>
#include <boost/process/search_path.hpp>
#include <csignal>

#include "base/error.h"

namespace rackline::proc {
namespace {

namespace asio = boost::asio;
namespace bp = boost::process;

// A grandchild may hold the pipes open for ever: what the child itself said is in them by then.
constexpr Milliseconds kDrain{200};

std::string resolve(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const auto found = bp::search_path(program);
  if (found.empty()) throw Error(Status::kUnreachable, "start", program, "no such program in PATH");
  return found.string();
}

}  // namespace

Finished run(const std::vector<std::string>& argv, const std::string& input, Milliseconds timeout) {
  const std::string program = resolve(argv.at(0));
  asio::io_context io;
  bp::async_pipe in(io);
  bp::async_pipe out(io);
  bp::async_pipe err(io);
  std::error_code problem;
  // The child must not hold our locks and sockets. (Boost's own limit_handles also closes the pipes given
  // here.)
  const auto close_others =
      bp::extend::on_exec_setup([](auto&) { close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); });
  bp::child child(bp::exe = program, bp::args = std::vector<std::string>(argv.begin() + 1, argv.end()),
                  bp::std_in<in, bp::std_out> out, bp::std_err > err, close_others, problem);
  if (problem) throw Error(Status::kUnreachable, "start", program, problem.message());

  // Boost.Process waits for children through SIGCHLD, which a library must not take from its program; a pidfd
  // becomes readable when the child ends and concerns nobody else.
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, child.id(), 0));
  if (pidfd < 0) throw system_error(Status::kUnreachable, "wait for", program);
  asio::posix::stream_descriptor exit(io, pidfd);

  Finished finished;
  bool exited = false;
  exit.async_wait(asio::posix::stream_descriptor::wait_read, [&](const auto&) { exited = true; });
  asio::async_write(in, asio::buffer(input), [&](const auto&, std::size_t) { in.close(); });
  asio::async_read(out, asio::dynamic_buffer(finished.out), [](const auto&, std::size_t) {});
  asio::async_read(err, asio::dynamic_buffer(finished.err), [](const auto&, std::size_t) {});
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!exited && io.run_one_until(deadline) > 0) {
  }
  if (!exited) {
    finished.timed_out = true;
    ::kill(child.id(), SIGKILL);
  }
  io.run_for(kDrain);
  child.wait(problem);
  const int status = child.native_exit_code();
  finished.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return finished;
}

}  // namespace rackline::proc
