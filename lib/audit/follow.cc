// SPDX-License-Identifier: Apache-2.0
#include "audit/follow.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>

#include "audit/line.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/own_file.h"

namespace rackline::audit {
namespace {

constexpr std::size_t kBlock = 64 << 10;

class Follower {
 public:
  Follower(const std::string& trail, const std::function<void(std::string_view)>& each)
      : trail_(trail), each_(each), watch_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    const auto parent = std::filesystem::path(trail).parent_path();
    const std::string directory = parent.empty() ? "." : parent.string();
    if (!watch_ || inotify_add_watch(watch_.get(), directory.c_str(),
                                     IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE) < 0)
      throw system_error(Status::kUnreachable, "watch the trail", directory);
  }

  void run(bool all) {
    open();
    if (!all) skip();
    while (!interrupt::requested()) {
      take();
      // Only when all of the old file is read: a writer closes it before it puts another in its place.
      if (replaced()) {
        take();
        open();
        continue;
      }
      if (!wait()) return;
    }
  }

 private:
  void open() {
    file_ = Fd(::open(trail_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_) throw system_error(Status::kUnreachable, "read the trail", trail_);
    buffer_.clear();
  }
  // To the last line, of which only the hash is wanted.
  void skip() {
    silent_ = true;
    take();
    silent_ = false;
  }
  bool replaced() const {
    struct stat ours = {}, there = {};
    if (fstat(file_.get(), &ours) != 0) return false;
    return stat(trail_.c_str(), &there) == 0 && (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev);
  }
  void take() {
    std::array<char, kBlock> block{};
    for (;;) {
      const ssize_t size = read(file_.get(), block.data(), block.size());
      if (size < 0 && errno == EINTR) return;
      if (size < 0) throw system_error(Status::kUnreachable, "read the trail", trail_);
      if (size == 0) return;
      buffer_.append(block.data(), static_cast<std::size_t>(size));
      std::size_t begin = 0;
      for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n', begin)) {
        line(std::string_view(buffer_).substr(begin, end - begin));
        begin = end + 1;
      }
      buffer_.erase(0, begin);
    }
  }
  void line(std::string_view text) {
    const LineInfo info = read_line(text);
    if (info.readable && seen_ >= info.seq) return;  // the file was written anew with fields taken out
    const bool fits = info.readable && (!before_ || info.linked_to(*before_) == info.hash);
    if (!fits) {
      throw Error(Status::kNo, "follow", trail_,
                  "the line behind line " + std::to_string(seen_) + " is not as it was written",
                  "audit verify --file " + trail_ + " tells what is wrong");
    }
    before_ = info.hash;
    seen_ = info.seq;
    if (!silent_) each_(text);
  }
  // False: somebody wants it to end.
  bool wait() {
    std::array<pollfd, 3> watched{
        {{watch_.get(), POLLIN, 0}, {interrupt::fd(), POLLIN, 0}, {STDOUT_FILENO, 0, 0}}};
    if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR)
      throw system_error(Status::kUnreachable, "wait", "poll");
    if ((watched[2].revents & POLLERR) != 0) {
      interrupt::request(SIGPIPE);
      return false;
    }
    std::array<char, kBlock> events{};
    while (read(watch_.get(), events.data(), events.size()) > 0) {
    }
    return true;
  }

  const std::string& trail_;
  const std::function<void(std::string_view)>& each_;
  Fd watch_, file_;
  std::string buffer_;
  std::optional<Digest> before_;
  std::int64_t seen_ = -1;
  bool silent_ = false;
};

}  // namespace

void follow(const std::string& trail, bool all, const std::function<void(std::string_view)>& each) {
  const std::string real = real_file(trail);
  Follower(real, each).run(all);
}

}  // namespace rackline::audit
