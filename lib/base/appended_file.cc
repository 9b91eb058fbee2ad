// SPDX-License-Identifier: Apache-2.0
#include "base/appended_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace rackline {

AppendedFile::AppendedFile(std::string attempted, std::string path)
    : attempted_(std::move(attempted)), path_(std::move(path)) {
  open();
}

void AppendedFile::open() {
  Fd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file) throw system_error(Status::kUnreachable, attempted_, path_);
  file_ = std::move(file);
}

// A look at the name before each write costs a microsecond, and asks nobody to send a signal.
bool AppendedFile::moved() const {
  struct stat ours = {};
  struct stat named = {};
  if (fstat(file_.get(), &ours) != 0) return false;
  if (stat(path_.c_str(), &named) != 0) return errno == ENOENT;
  return ours.st_dev != named.st_dev || ours.st_ino != named.st_ino;
}

void AppendedFile::follow_name() {
  if (moved()) open();
}

void AppendedFile::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file_.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw system_error(Status::kUnreachable, attempted_, path_);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace rackline
