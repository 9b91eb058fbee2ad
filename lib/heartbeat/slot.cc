// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/slot.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/id.h"
#include "cluster/name.h"

namespace rackline::heartbeat {
namespace {

std::string slot_path(const std::string& directory, const std::string& host) {
  if (!cluster::valid_name(host))  // it never leads out of the directory
    throw Error(Status::kRefused, "use the slot", host, "the name of the host is none of a file");
  return directory + "/" + host + ".beat";
}

// The whole of a small regular file; empty for anything else.
std::string small_file(int directory, const char* name, timespec& changed) {
  const Fd file(openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat about = {};
  if (!file || fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) return {};
  changed = about.st_mtim;
  char text[64];
  const ssize_t size = pread(file.get(), text, sizeof text, 0);
  return size <= 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

}  // namespace

void write_challenge(const std::string& directory, const std::string& name, std::uint64_t nonce) {
  const std::string path = directory + "/" + name + ".challenge";
  const char* attempted = "write the challenge of the watcher";
  // In place: it is shorter than a sector, and one that is torn is answered at the next beat.
  const Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
  if (!file) throw system_error(Status::kUnreachable, attempted, path);
  const std::string text = hex(nonce) + "\n";
  char present[64];
  const ssize_t size = pread(file.get(), present, sizeof present, 0);
  if (size == static_cast<ssize_t>(text.size()) && text.compare(0, text.size(), present, text.size()) == 0)
    return;
  if (pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ftruncate(file.get(), static_cast<off_t>(text.size())) != 0 || fdatasync(file.get()) != 0)
    throw system_error(Status::kUnreachable, attempted, path);
}

std::vector<std::uint64_t> read_challenges(const std::string& directory, std::size_t most) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), closedir);
  if (!entries) throw system_error(Status::kUnreachable, "read the challenges", directory);
  std::vector<std::pair<timespec, std::uint64_t>> found;
  // Bounded: a directory full of rubbish is not to keep the heartbeat waiting.
  constexpr std::size_t kLooked = 64;
  std::size_t looked = 0;
  while (const dirent* entry = readdir(entries.get())) {
    if (!std::string_view(entry->d_name).ends_with(".challenge")) continue;
    if (++looked > kLooked) break;
    timespec changed{};
    const std::string text = small_file(dirfd(entries.get()), entry->d_name, changed);
    std::uint64_t nonce = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), nonce, 16);
    if (error == std::errc() && end != text.data() + text.size() && *end == '\n')
      found.emplace_back(changed, nonce);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.tv_sec, a.first.tv_nsec) > std::pair(b.first.tv_sec, b.first.tv_nsec);
  });
  std::vector<std::uint64_t> nonces;
  for (const auto& [changed, nonce] : found) {
    if (nonces.size() < most) nonces.push_back(nonce);
  }
  return nonces;
}

SlotWriter::SlotWriter(const std::string& directory, const std::string& host)
    : path_(slot_path(directory, host)) {}

void SlotWriter::write(std::span<const std::uint8_t> message) {
  const char* attempted = "write the heartbeat";
  if (!file_) file_ = Fd(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file_) throw system_error(Status::kUnreachable, attempted, path_);
  std::array<std::uint8_t, kSlotBytes> sector{};
  // Its length stands in front: a message does not fill the sector.
  const std::size_t length = std::min(message.size(), kSlotMessage);
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

}  // namespace rackline::heartbeat
