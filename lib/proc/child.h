// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
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

// Runs `argv` (argv[0] is looked up in PATH unless it holds a slash) with `input` on its stdin, and waits for
// it. The child inherits no descriptor but the three standard ones. After `timeout` it is killed (SIGKILL),
// and with it all that it has started and that has not left its process group.
// Throws Error(kUnreachable) when it cannot be started, and when it says more than 16 MiB.
Finished run(const std::vector<std::string>& argv, const std::string& input, Milliseconds timeout);

}  // namespace rackline::proc
