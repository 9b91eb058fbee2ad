// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/time.h"

namespace rackline::cli {

// Messages, of which many alike become few and a count: two hundred hosts with one trouble must not push the
// one with another off the screen. Alike are those that differ in names and numbers only. Safe to use from
// several threads.
class Complaints {
 public:
  using Say = std::function<void(const std::string& text)>;
  Complaints(const Clock& clock, Say say) : clock_(clock), say_(std::move(say)) {}

  // Says the first few of a kind, and counts the others.
  void add(const std::string& text);
  // Says how many were not said; after that, a kind begins anew. For the end of the program; what goes on for
  // long has it done with the next message, a while after the first of the kind.
  void close();

 private:
  struct Kind {
    std::string last;
    std::int64_t said = 0, held = 0;
    Milliseconds since{0};
  };
  void close(bool all);

  const Clock& clock_;
  Say say_;
  std::mutex mutex_;
  std::map<std::string, Kind> kinds_;
};

// What is alike in messages of one kind: each word with a digit in it, and what is quoted, is one sign.
std::string kind_of_message(std::string_view text);

}  // namespace rackline::cli
