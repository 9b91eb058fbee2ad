// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace rackline::proc {

// What a child process left behind.
struct Finished {
  int status = 0;          // its exit status; 128+n when signal n ended it
  bool timed_out = false;  // it was killed because `timeout` had passed
  std::string out;
  std::string err;
};

// What becomes of the processes that a child leaves behind in groups of their own.
enum class Leavers {
  kSpare,  // it may start a daemon, as ssh does to share its connections
  kKill,   // nothing of it may act later; also when we are killed, all that it has started is
};
// What a child sees of our environment. Another's program gets nothing that is for us or could be a secret:
// RACKLINE_*, what systemd told the service (NOTIFY_SOCKET, CREDENTIALS_DIRECTORY), and names with PASSWORD,
// PASSWD, SECRET or TOKEN in them, which any user of the machine could be shown by a child that is careless.
enum class Environment { kCleaned, kWhole };
bool stays_with_us(std::string_view name);
// What a stop that is asked of us (base/interrupt.h) means to the child, which does not hear of it otherwise:
// it is in a process group of its own.
enum class Stop {
  kWaitForIt,  // it comes to its end
  kHandOn,     // it gets SIGTERM, ends in its own order, and is waited for
};

// Runs `argv` (argv[0] is looked up in PATH unless it holds a slash) with `input` on its stdin, and waits for
// it. The child inherits no descriptor but the three standard ones. After `timeout` it is killed (SIGKILL),
// and with it all that it has started and that has not left its process group. It does not outlive us.
// Throws Error(kUnreachable) when it cannot be started, and when it says more than 16 MiB.
Finished run(const std::vector<std::string>& argv, const std::string& input, Milliseconds timeout,
             Leavers leavers = Leavers::kSpare, Environment environment = Environment::kCleaned,
             Stop stop = Stop::kWaitForIt);

// The file that is started as `program`: from PATH, or from where the system's own programs are. Empty when
// there is none.
std::string find_program(const std::string& program);

}  // namespace rackline::proc
