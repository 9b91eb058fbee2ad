// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "base/fd.h"
#include "base/time.h"

namespace rackline::store {

// One's turn among processes of this machine that do short things one after the other, all of them through
// the same file. The kernel's queue hands over at once: 64 that ask again and again would wait for the
// luckiest, and burn a CPU.
class FileTurn {
 public:
  // Nothing: it did not come within `patience`, or the file cannot be locked. A stop that is asked for does
  // not end the wait: what is written then is often what tells how far one had come.
  static std::optional<FileTurn> take(Fd file, Milliseconds patience);

  FileTurn(FileTurn&&) = default;
  FileTurn& operator=(FileTurn&&) = delete;
  ~FileTurn();

 private:
  explicit FileTurn(std::shared_ptr<Fd> file) : file_(std::move(file)) {}
  std::shared_ptr<Fd> file_;
};

}  // namespace rackline::store
