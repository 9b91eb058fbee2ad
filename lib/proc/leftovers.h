// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

namespace rackline::proc {

// Kills all processes that have `marker` (NAME=VALUE) in their environment, however they have left their
// parents and groups, and those that they start meanwhile. One that has thrown its environment away, or that
// runs as another user, is not found.
void kill_marked(const std::string& marker);

// A process that waits for our death: when we are killed while a child works, it kills the child's group and
// what has left it, so that nothing goes on that nobody waits for. It ends with this object.
class Executor {
 public:
  Executor(pid_t group, const std::string& marker);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

 private:
  pid_t waiting_ = -1;
  int lifeline_ = -1;
};

}  // namespace rackline::proc
