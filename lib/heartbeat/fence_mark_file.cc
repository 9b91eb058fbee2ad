// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/fence_mark_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>

#include "base/error.h"
#include "base/fd.h"
#include "base/id.h"
#include "cluster/name.h"

namespace rackline::heartbeat {
namespace {

constexpr std::string_view kHead = "rackline-fenced 1 ";
constexpr std::string_view kSuffix = ".fenced";
constexpr std::size_t kMacBytes = 32;
constexpr std::size_t kLongest = 1024;
constexpr std::uint64_t kRecent = 16;  // beats: an answer to an older one says nothing about now
constexpr int kLooks = 5;

// Signs what is meant for one host with the key of that host.
std::string sign_for_host(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(),
           &length) == nullptr ||
      length != kMacBytes)
    throw Error(Status::kUnreachable, "compute HMAC-SHA-256", "libcrypto", "it failed");
  std::string out;
  for (std::size_t i = 0; i < kMacBytes; i += sizeof(std::uint64_t)) {
    std::uint64_t part = 0;
    for (std::size_t j = 0; j < sizeof part; ++j) part = part << 8 | mac[i + j];
    out += hex(part);
  }
  return out;
}

std::string mark_path(const std::string& directory, const std::string& host) {
  if (!cluster::valid_name(host))  // it never leads out of the directory
    throw Error(Status::kRefused, "use the mark of a fencing", host,
                "the name of the host is none of a file");
  return directory + "/" + host + std::string(kSuffix);
}

// Takes the next word off the front of a text that separates them by one blank.
std::string_view word(std::string_view& text) {
  const auto blank = text.find(' ');
  const auto found = text.substr(0, blank);
  text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
  return found;
}

bool number(std::string_view text, int base, std::size_t width, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return text.size() == width && error == std::errc() && end == text.data() + text.size();
}

constexpr std::size_t kHexWidth = 16;
constexpr std::size_t kDecimalWidth = 20;  // of 2^64

std::string decimal(std::uint64_t value) {
  const std::string text = std::to_string(value);
  return std::string(kDecimalWidth - text.size(), '0') + text;
}

}  // namespace

std::string sealed(const FenceMarkText& mark, std::string_view cluster, std::string_view key) {
  // An id that is no word would not be read again.
  const std::string fence = cluster::valid_name(mark.fence) ? mark.fence : hex(fnv1a(mark.fence));
  const std::string line = std::string(kHead) + hex(fnv1a(cluster)) + " " + hex(mark.incarnation) + " " +
                           decimal(mark.seq) + " " + fence + " " + mark.host + "\n";
  return line + sign_for_host(key, line) + "\n";
}

MarkReject unseal(std::string_view text, std::string_view cluster, std::string_view key, FenceMarkText& out) {
  const auto end = text.find('\n');
  if (!text.starts_with(kHead) || end == std::string_view::npos) return MarkReject::kTorn;
  const auto line = text.substr(0, end + 1);
  const auto mac = text.substr(end + 1);
  if (mac.size() != 2 * kMacBytes + 1 || mac.back() != '\n') return MarkReject::kTorn;
  auto rest = text.substr(kHead.size(), end - kHead.size());
  std::uint64_t tag = 0;
  FenceMarkText mark;
  if (!number(word(rest), 16, kHexWidth, tag) || !number(word(rest), 16, kHexWidth, mark.incarnation) ||
      !number(word(rest), 10, kDecimalWidth, mark.seq))
    return MarkReject::kTorn;
  mark.fence = word(rest);
  mark.host = rest;
  if (!cluster::valid_name(mark.fence) || !cluster::valid_name(mark.host)) return MarkReject::kTorn;
  if (tag != fnv1a(cluster)) return MarkReject::kForeign;
  const std::string right = sign_for_host(key, line);
  if (CRYPTO_memcmp(right.data(), mac.data(), right.size()) != 0)  // @rule 21-forged-mark
    return MarkReject::kForged;
  out = std::move(mark);
  return MarkReject::kNone;
}

MarkReject unseal(std::string_view text, std::string_view cluster, const std::vector<std::string>& keys,
                  FenceMarkText& out) {
  MarkReject reject = MarkReject::kForged;
  for (const auto& key : keys) {
    reject = unseal(text, cluster, std::string_view(key), out);
    if (reject != MarkReject::kForged) break;  // @rule 21-mark-with-either-key: true
  }
  return reject;
}

void write_fence_mark(const std::string& directory, const std::string& host, std::string_view text) {
  const char* attempted = "write the mark of a fencing";
  const std::string path = mark_path(directory, host);
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
  if (!file) throw system_error(Status::kUnreachable, attempted, path);
  // In place: it is shorter than a sector, and one that is torn is written anew and believed by nobody.
  if (pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ftruncate(file.get(), static_cast<off_t>(text.size())) != 0 || fdatasync(file.get()) != 0)
    throw system_error(Status::kUnreachable, attempted, path);
}

void remove_fence_mark(const std::string& directory, const std::string& host) {
  const std::string path = mark_path(directory, host);
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    throw system_error(Status::kUnreachable, "remove the mark of a fencing", path);
}

std::optional<std::string> read_fence_mark(const std::string& directory, const std::string& host) {
  const char* attempted = "read the mark of a fencing";
  const std::string path = mark_path(directory, host);
  // Opened anew each time, so that a network file system asks its server; without waiting for the other end
  // of a pipe.
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && errno == ENOENT) return std::nullopt;
  const bool strange = !file && (errno == ELOOP || errno == EACCES || errno == EPERM || errno == ENXIO);
  if (!file) throw system_error(strange ? Status::kRefused : Status::kUnreachable, attempted, path);
  struct stat about = {};
  if (fstat(file.get(), &about) != 0) throw system_error(Status::kUnreachable, attempted, path);
  if (!S_ISREG(about.st_mode)) throw Error(Status::kRefused, attempted, path, "it is not a regular file");
  std::string text(kLongest, '\0');
  const ssize_t size = pread(file.get(), text.data(), text.size(), 0);
  if (size < 0) throw system_error(Status::kUnreachable, attempted, path);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::vector<std::string> fence_marks_in(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), closedir);
  if (!entries) throw system_error(Status::kUnreachable, "read the marks of fencings", directory);
  std::vector<std::string> hosts;
  constexpr std::size_t kMost = 1024;
  while (const dirent* entry = readdir(entries.get())) {
    std::string_view name = entry->d_name;
    if (!name.ends_with(kSuffix) || hosts.size() >= kMost) continue;
    name.remove_suffix(kSuffix.size());
    if (cluster::valid_name(name)) hosts.emplace_back(name);
  }
  return hosts;
}

OwnFenceMark::OwnFenceMark(std::string host, std::string cluster, std::vector<std::string> keys)
    : host_(std::move(host)), cluster_(std::move(cluster)), keys_(std::move(keys)) {}

std::string OwnFenceMark::objection(const std::string& text, std::uint64_t incarnation, std::uint64_t seq,
                                    std::uint64_t overtaken) {
  FenceMarkText mark;
  switch (unseal(text, cluster_, keys_, mark)) {
    case MarkReject::kTorn:
      return "it is half written, or no mark at all";
    case MarkReject::kForeign:
      return "it is of another cluster";
    case MarkReject::kForged:
      return "it is not signed with the key of this host";
    case MarkReject::kNone:
      break;
  }
  if (mark.host != host_) return "it is of another host, " + mark.host;  // @rule 21-mark-of-another
  // @rule 21-old-mark
  if (mark.incarnation != incarnation || mark.seq > seq || mark.seq + kRecent < seq || mark.seq <= overtaken)
    return "it is an old one (" + mark.fence + ") that was put back, or that no watcher keeps any more";
  believed_ = mark.seq;
  return {};
}

bool OwnFenceMark::says_fenced(const std::optional<std::string>& text, std::uint64_t incarnation,
                               std::uint64_t seq, std::uint64_t overtaken) {
  const std::string objection = text ? this->objection(*text, incarnation, seq, overtaken) : std::string();
  looks_ = objection == objection_ ? looks_ + 1 : 1;
  objection_ = objection;
  const bool certain = objection.empty() || looks_ >= kLooks;
  if (certain) {
    trouble_ = objection.empty() ? ""
                                 : "the mark " + host_ + std::string(kSuffix) +
                                       " on the storage does not count, and nothing is stopped: " + objection;
  }
  // What was believed goes on to hold while the next one is being written.
  if (!text || (certain && !objection.empty())) believed_ = 0;
  return believed_ > overtaken;
}

}  // namespace rackline::heartbeat
