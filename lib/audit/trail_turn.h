// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>

#include "audit/trail.h"
#include "base/error.h"

namespace rackline::audit {

// The file, locked, with the state of its end known.
class Trail::Turn {
 public:
  explicit Turn(Trail& trail) : trail_(trail) {
    try {
      begin();
    } catch (...) {
      end();
      throw;
    }
  }
  ~Turn() { end(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  void forget() {
    const std::lock_guard guard(trail_.swap_);
    trail_.fd_.reset();  // and with it its lock
    trail_.known_ = false;
  }

 private:
  void begin() {
    for (;;) {
      if (!trail_.fd_) open();
      while (flock(trail_.fd_->get(), LOCK_EX) != 0) {
        if (errno != EINTR) throw system_error(Status::kUnreachable, "lock the trail", trail_.path_);
      }
      struct stat ours = {}, there = {};
      if (fstat(trail_.fd_->get(), &ours) == 0 && stat(trail_.path_.c_str(), &there) == 0 &&
          ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
        if (!S_ISREG(ours.st_mode))
          throw Error(Status::kRefused, "open the trail", trail_.path_, "it is not a regular file");
        if (!trail_.known_ || ours.st_size != trail_.state_.size) trail_.load();
        if (trail_.state_.last != LineKind::kRotated) return;
        trail_.finish_rotation();
      }
      forget();  // it was rotated meanwhile
    }
  }
  void end() {
    if (trail_.fd_) flock(trail_.fd_->get(), LOCK_UN);
  }
  void open() {
    constexpr int kHow = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;
    Fd fd(::open(trail_.path_.c_str(), kHow, 0600));
    const auto parent = std::filesystem::path(trail_.path_).parent_path();
    if (!fd && errno == ENOENT && !parent.empty() && mkdir(parent.c_str(), 0700) == 0)
      fd = Fd(::open(trail_.path_.c_str(), kHow, 0600));
    if (!fd) throw system_error(Status::kUnreachable, "open the trail", trail_.path_);
    const std::lock_guard guard(trail_.swap_);
    trail_.fd_ = std::make_shared<Fd>(std::move(fd));
    trail_.known_ = false;
  }
  Trail& trail_;
};

}  // namespace rackline::audit
