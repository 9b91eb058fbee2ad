// SPDX-License-Identifier: Apache-2.0
#include "audit/tee.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"

namespace rackline::audit {
namespace {

constexpr std::size_t kBlock = 256 << 10;
constexpr std::size_t kNamed = 5;  // of the lines that were no records
constexpr std::size_t kLongestLine = 16 << 20;

// Puts on the disk what was appended, as long as there is something.
class Syncer {
 public:
  explicit Syncer(Trail& trail) : trail_(trail), thread_([this] { run(); }) {}
  ~Syncer() { stop(); }
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  void dirty() {
    {
      const std::lock_guard guard(mutex_);
      if (error_) std::rethrow_exception(error_);
      dirty_ = true;
    }
    wake_.notify_one();
  }
  // All is on the disk when it returns.
  void finish() {
    stop();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void stop() {
    {
      const std::lock_guard guard(mutex_);
      stopped_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return dirty_ || stopped_; });
      if (!dirty_) return;
      dirty_ = false;
      lock.unlock();
      std::exception_ptr error;
      try {
        trail_.sync();
      } catch (const Error&) {
        error = std::current_exception();
      }
      lock.lock();
      if (error) {
        error_ = error;
        return;
      }
    }
  }

  Trail& trail_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool dirty_ = false, stopped_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

// False: nobody reads any more.
bool pass_on(int out, std::string_view left) {
  while (!left.empty()) {
    const ssize_t written = ::write(out, left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      return false;
    } else if (errno == EAGAIN) {
      pollfd writable{out, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      throw system_error(Status::kUnreachable, "pass records on", "stdout");
    }
  }
  return true;
}

class Stream {
 public:
  Stream(int in, int out, Trail& trail, const Clock& clock, const TeeOptions& options)
      : in_(in), out_(out), trail_(trail), clock_(clock), options_(options), syncer_(trail) {}

  TeeCounts run() {
    checked_ = clock_.monotonic();
    while (!counts_.reader_gone && wait() && fill()) handle(whole_lines());
    // A last line without its end is one nevertheless, unless somebody has stopped us in the middle of it.
    if (!counts_.reader_gone && !interrupt::requested()) handle(end_);
    syncer_.finish();
    trail_.close();
    if (options_.key != nullptr && counts_.lines > 0) trail_.checkpoint(*options_.key);
    return counts_;
  }

 private:
  // False: a stop was asked for, or nobody reads. Also returns to make a checkpoint when it is due.
  bool wait() {
    for (;;) {
      if (interrupt::requested()) return false;
      int patience = -1;
      if (due_) {
        const auto left = checked_ + options_.checkpoint_every - clock_.monotonic();
        if (left <= Milliseconds{0}) {
          trail_.checkpoint(*options_.key);
          checked_ = clock_.monotonic();
          due_ = false;
          continue;
        }
        patience = static_cast<int>(std::min<Milliseconds::rep>(left.count(), 3'600'000));
      }
      std::array<pollfd, 3> watched{{{in_, POLLIN, 0}, {interrupt::fd(), POLLIN, 0}, {out_, 0, 0}}};
      if (poll(watched.data(), watched.size(), patience) < 0 && errno != EINTR)
        throw system_error(Status::kUnreachable, "wait", "poll");
      if ((watched[2].revents & POLLERR) != 0) {
        counts_.reader_gone = true;
        return false;
      }
      if (watched[0].revents != 0) return true;
    }
  }

  // False: the input is at its end.
  bool fill() {
    if (buffer_.size() - end_ < kBlock) buffer_.resize(end_ + kBlock);
    const ssize_t size = read(in_, buffer_.data() + end_, buffer_.size() - end_);
    if (size < 0) {
      if (errno == EINTR || errno == EAGAIN) return true;
      throw system_error(Status::kUnreachable, "read records", "stdin");
    }
    end_ += static_cast<std::size_t>(size);
    return size > 0;
  }

  std::size_t whole_lines() {
    const void* last = memrchr(buffer_.data(), '\n', end_);
    if (last != nullptr) return static_cast<std::size_t>(static_cast<const char*>(last) - buffer_.data()) + 1;
    if (end_ > kLongestLine)
      throw Error(Status::kUsage, "read records", "stdin: line " + std::to_string(read_ + 1),
                  "longer than 16 MiB", "it was not passed on");
    return 0;
  }

  void handle(std::size_t size) {
    const std::string_view all(buffer_.data(), size);
    lines_.clear();
    numbers_.clear();
    for (std::size_t at = 0; at < all.size();) {
      const auto end = std::min(all.find('\n', at), all.size());
      auto line = all.substr(at, end - at);
      at = end + 1;
      ++read_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
      lines_.push_back(line);
      numbers_.push_back(read_);
    }
    if (!lines_.empty()) {
      const auto broken = trail_.append(lines_);
      counts_.broken += static_cast<std::int64_t>(broken.size());
      for (const auto i : broken) {
        if (counts_.first_broken.size() < kNamed) counts_.first_broken.push_back(numbers_[i]);
      }
      counts_.lines += static_cast<std::int64_t>(lines_.size());
      if (options_.durable == TeeOptions::Durable::kBefore) {
        trail_.sync();
      } else {
        syncer_.dirty();
      }
      due_ = options_.key != nullptr && options_.checkpoint_every > Milliseconds{0};
    }
    counts_.reader_gone = !pass_on(out_, all);
    std::memmove(buffer_.data(), buffer_.data() + size, end_ - size);
    end_ -= size;
  }

  int in_, out_;
  Trail& trail_;
  const Clock& clock_;
  const TeeOptions& options_;
  TeeCounts counts_;
  std::string buffer_;
  std::size_t end_ = 0;
  std::vector<std::string_view> lines_;
  std::vector<std::int64_t> numbers_;  // of each of these in the input
  std::int64_t read_ = 0;
  Milliseconds checked_{};
  bool due_ = false;
  Syncer syncer_;
};

}  // namespace

TeeCounts tee(int in, int out, Trail& trail, const Clock& clock, const TeeOptions& options) {
  return Stream(in, out, trail, clock, options).run();
}

}  // namespace rackline::audit
