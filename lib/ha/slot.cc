// SPDX-License-Identifier: Apache-2.0
#include "ha/slot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"

namespace rackline::ha {
namespace {

std::string slot_path(const std::string& directory, const std::string& host) {
  return directory + "/" + host + ".beat";
}

}  // namespace

SlotWriter::SlotWriter(const std::string& directory, const std::string& host)
    : path_(slot_path(directory, host)) {}

void SlotWriter::write(std::span<const std::uint8_t> message) {
  const char* attempted = "write the heartbeat";
  if (!file_) file_ = Fd(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file_) throw system_error(Status::kUnreachable, attempted, path_);
  std::array<std::uint8_t, kSlotBytes> sector{};
  // Its length stands in front: a message does not fill the sector.
  const std::size_t length = std::min(message.size(), kSlotBytes - 2);
  sector[0] = static_cast<std::uint8_t>(length >> 8);
  sector[1] = static_cast<std::uint8_t>(length & 0xff);
  std::copy_n(message.begin(), length, sector.begin() + 2);
  const ssize_t written = pwrite(file_.get(), sector.data(), sector.size(), 0);
  if (written == static_cast<ssize_t>(sector.size()) && fdatasync(file_.get()) == 0) return;
  const int number = written < 0 || errno != 0 ? errno : ENOSPC;
  file_.reset();
  throw system_error(Status::kUnreachable, attempted, path_, number);
}

std::vector<std::uint8_t> read_slot(const std::string& directory, const std::string& host) {
  const std::string path = slot_path(directory, host);
  // Opened anew each time: a network file system looks at the server then, and shows its cache otherwise.
  // Without waiting: the other end of a pipe may never come.
  const char* attempted = "read the heartbeat";
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && errno == ENOENT) return {};
  const bool strange = !file && (errno == ELOOP || errno == EACCES || errno == EPERM || errno == ENXIO);
  if (!file) throw system_error(strange ? Status::kRefused : Status::kUnreachable, attempted, path);
  struct stat about = {};
  if (fstat(file.get(), &about) != 0) throw system_error(Status::kUnreachable, attempted, path);
  if (!S_ISREG(about.st_mode)) throw Error(Status::kRefused, attempted, path, "it is not a regular file");
  std::vector<std::uint8_t> sector(kSlotBytes);
  const ssize_t size = pread(file.get(), sector.data(), sector.size(), 0);
  if (size < 0) throw system_error(Status::kUnreachable, attempted, path);
  if (size < 2) return {};
  const std::size_t length = static_cast<std::size_t>(sector[0]) << 8 | sector[1];
  if (length + 2 > static_cast<std::size_t>(size)) return {};
  return {sector.begin() + 2, sector.begin() + 2 + static_cast<std::ptrdiff_t>(length)};
}

}  // namespace rackline::ha
