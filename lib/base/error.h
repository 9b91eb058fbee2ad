// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace rackline {

// The one exit table of all programs, rackline(7). New non-zero values may be added; an unknown one is a
// failure.
enum class Status : int {
  kDone = 0,         // done, or nothing to do
  kNo = 1,           // the answer is no, or some action failed: the records say which
  kUsage = 2,        // wrong usage or unreadable input
  kUnreachable = 3,  // something that was needed could not be reached
  kRefused = 4,      // refused for safety
  kBusy = 5,         // another instance holds the lock
  kTimeout = 124,    // as timeout(1) has it
};

// Thrown where a program cannot go on, and caught once, in cli::run. Where failure is an answer (a host is
// down, a disk is busy) it is a value in a result record and not an Error.
//
// The message is one line, "what was attempted: on what: why"; the hint is a second line for the person
// reading it.
class Error : public std::runtime_error {
 public:
  Error(Status status, const std::string& attempted, const std::string& object, const std::string& why,
        std::string hint = {});

  Status status() const { return status_; }
  const std::string& why() const { return why_; }
  const std::string& hint() const { return hint_; }

 private:
  Status status_;
  std::string why_;
  std::string hint_;
};

// An Error whose reason is an errno value (by default the current one).
Error system_error(Status status, const std::string& attempted, const std::string& object, int number = 0);

}  // namespace rackline
