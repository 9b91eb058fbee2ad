// SPDX-License-Identifier: Apache-2.0
#include "audit/parts.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "base/own_file.h"

namespace rackline::audit {
namespace {

constexpr std::size_t kBlock = 1 << 20;
constexpr std::size_t kLongestLine = 64UL
                                     << 20;  // a record has at most 16 MiB, a broken line grows when quoted
constexpr std::size_t kDigits = 6;
constexpr std::string_view kCompressed = ".zst";
constexpr int kLevel = 3;

// The bytes of a file, decompressed where it is compressed.
class Source {
 public:
  explicit Source(const Part& part) : part_(part), compressed_(part.compressed), left_(part.size) {
    if (part.open) {
      // A description of its own, as positions are: others may read the same part.
      fd_ = Fd(open(("/proc/self/fd/" + std::to_string(part.open->get())).c_str(), O_RDONLY | O_CLOEXEC));
    } else {
      fd_ = Fd(open(part.file.c_str(), O_RDONLY | O_CLOEXEC));
    }
    if (!fd_ && errno == ENOENT && !compressed_) {
      // It has just been compressed.
      fd_ = Fd(open((part.file + std::string(kCompressed)).c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd_) errno = ENOENT;
      compressed_ = true;
    }
    if (!fd_) throw system_error(Status::kUnreachable, "read the trail", part.file);
    struct stat about = {};
    if (fstat(fd_.get(), &about) != 0) throw system_error(Status::kUnreachable, "read the trail", part.file);
    if (S_ISDIR(about.st_mode)) throw system_error(Status::kUnreachable, "read the trail", part.file, EISDIR);
    posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    if (!compressed_) return;
    context_.reset(ZSTD_createDCtx());
    raw_.resize(kBlock);
  }

  // How many bytes; 0 at the end.
  std::size_t read(char* to, std::size_t room) {
    if (!compressed_) return read_file(to, room);
    ZSTD_outBuffer out{to, room, 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size) {
        in_ = {raw_.data(), read_file(raw_.data(), raw_.size()), 0};
        if (in_.size == 0) {
          if (in_frame_) throw Error(Status::kUnreachable, "read the trail", part_.file, "it is cut off");
          return 0;
        }
      }
      const std::size_t left = ZSTD_decompressStream(context_.get(), &out, &in_);
      if (ZSTD_isError(left) != 0)
        throw Error(Status::kUnreachable, "read the trail", part_.file, ZSTD_getErrorName(left));
      in_frame_ = left != 0;
    }
    return out.pos;
  }

 private:
  struct FreeContext {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::size_t read_file(char* to, std::size_t room) {
    if (left_ >= 0) room = std::min(room, static_cast<std::size_t>(left_));
    for (;;) {
      const ssize_t size = ::read(fd_.get(), to, room);
      if (size >= 0) {
        if (left_ >= 0) left_ -= size;
        return static_cast<std::size_t>(size);
      }
      if (errno != EINTR) throw system_error(Status::kUnreachable, "read the trail", part_.file);
    }
  }

  const Part& part_;
  bool compressed_;
  std::int64_t left_;  // -1: to the end
  Fd fd_;
  std::unique_ptr<ZSTD_DCtx, FreeContext> context_;
  std::string raw_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool in_frame_ = false;
};

}  // namespace

std::string part_name(const std::string& trail, std::int64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < kDigits) digits.insert(0, kDigits - digits.size(), '0');
  return trail + "." + digits;
}

std::vector<Part> parts_of(const std::string& name) {
  namespace fs = std::filesystem;
  const std::string trail = real_file(name);
  const fs::path path(trail);
  const std::string start = path.filename().string() + ".";
  std::map<std::int64_t, Part> found;
  std::error_code code;
  const fs::path directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (fs::directory_iterator at(directory, code), end; !code && at != end; at.increment(code)) {
    const std::string file = at->path().filename().string();
    if (!file.starts_with(start)) continue;
    std::string_view rest = std::string_view(file).substr(start.size());
    const bool compressed = rest.ends_with(kCompressed);
    if (compressed) rest.remove_suffix(kCompressed.size());
    std::int64_t number = 0;
    const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (rest.size() < kDigits || read.ptr != rest.data() + rest.size() || number <= 0) continue;
    Part part{part_name(trail, number) + (compressed ? std::string(kCompressed) : ""), number, compressed};
    const auto present = found.find(number);
    if (present == found.end() || present->second.compressed) found[number] = std::move(part);
  }
  std::vector<Part> parts;
  for (auto& [number, part] : found) {
    // A rotation that was cut off in the middle: the full part still has its first name as well.
    if (!fs::equivalent(part.file, trail, code)) parts.push_back(std::move(part));
  }
  // A trail that somebody has copied away compressed is one to be read, too.
  if (fs::exists(trail, code)) parts.push_back({trail, 0, trail.ends_with(kCompressed)});
  return parts;
}

Moment moment_of(const std::string& name) {
  const std::string trail = real_file(name);
  // Whoever holds it for long hangs, and then nobody writes either.
  constexpr int kAttempts = 500;
  constexpr timespec kPause{0, 10'000'000};
  std::shared_ptr<Fd> live;
  for (;;) {
    live = std::make_shared<Fd>(open(trail.c_str(), O_RDONLY | O_CLOEXEC));
    for (int i = 0; *live && flock(live->get(), LOCK_SH | LOCK_NB) != 0 && i < kAttempts; ++i)
      nanosleep(&kPause, nullptr);
    struct stat ours = {}, there = {};
    if (!*live || fstat(live->get(), &ours) != 0 || stat(trail.c_str(), &there) != 0 ||
        (ours.st_ino == there.st_ino && ours.st_dev == there.st_dev))
      break;
    // It was rotated meanwhile, and what was opened is a full part now.
  }
  Moment moment{parts_of(trail), read_head(trail)};
  struct stat about = {};
  if (*live && !moment.parts.empty() && moment.parts.back().number == 0 && fstat(live->get(), &about) == 0 &&
      S_ISREG(about.st_mode)) {
    moment.parts.back().open = live;
    moment.parts.back().size = about.st_size;
  }
  if (*live) flock(live->get(), LOCK_UN);
  return moment;
}

void read_lines(const Part& part, const EachLine& each, const std::function<void(std::string_view)>& torn) {
  Source source(part);
  std::string buffer(kBlock, '\0');
  std::size_t begin = 0, end = 0, searched = 0;
  for (;;) {
    if (end == buffer.size()) {
      if (begin > 0) {
        std::memmove(buffer.data(), buffer.data() + begin, end - begin);
        end -= begin;
        begin = 0;
      } else if (buffer.size() < kLongestLine) {
        buffer.resize(buffer.size() * 2);
      } else {
        throw Error(Status::kUnreachable, "read the trail", part.file, "a line of more than 64 MiB");
      }
    }
    const std::size_t got = source.read(buffer.data() + end, buffer.size() - end);
    if (got == 0) break;
    searched = end;
    end += got;
    for (;;) {
      const void* at = std::memchr(buffer.data() + searched, '\n', end - searched);
      if (at == nullptr) break;
      const auto stop = static_cast<std::size_t>(static_cast<const char*>(at) - buffer.data());
      if (!each({buffer.data() + begin, stop - begin})) return;
      begin = searched = stop + 1;
    }
  }
  if (end > begin && torn) torn({buffer.data() + begin, end - begin});
}

void sync_directory_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const std::string directory = parent.empty() ? "." : parent.string();
  const Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || fsync(fd.get()) != 0) throw system_error(Status::kUnreachable, "write the trail", directory);
}

struct NewFile::Stream {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context{ZSTD_createCCtx()};
};

NewFile::NewFile(std::string path, bool compressed) : path_(std::move(path)), scratch_(path_ + ".new") {
  unlink(scratch_.c_str());  // of one that was killed; whoever writes here holds the trail's lock
  fd_ = open(scratch_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd_ < 0) throw system_error(Status::kUnreachable, "write the trail", scratch_);
  if (!compressed) return;
  stream_ = std::make_unique<Stream>();
  ZSTD_CCtx_setParameter(stream_->context.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(stream_->context.get(), ZSTD_c_checksumFlag, 1);
}

NewFile::~NewFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(scratch_.c_str());
}

void NewFile::put(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      throw system_error(Status::kUnreachable, "write the trail", scratch_);
    }
  }
}

void NewFile::flush_stream(bool end) {
  if (!stream_) {
    put(buffer_);
    buffer_.clear();
    return;
  }
  std::string out(ZSTD_CStreamOutSize(), '\0');
  ZSTD_inBuffer in{buffer_.data(), buffer_.size(), 0};
  for (;;) {
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const std::size_t left =
        ZSTD_compressStream2(stream_->context.get(), &to, &in, end ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0)
      throw Error(Status::kUnreachable, "compress the trail", scratch_, ZSTD_getErrorName(left));
    put({out.data(), to.pos});
    if (end ? left == 0 : in.pos == in.size) break;
  }
  buffer_.clear();
}

void NewFile::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBlock) flush_stream(false);
}

void NewFile::keep() {
  flush_stream(true);
  if (fsync(fd_) != 0 || rename(scratch_.c_str(), path_.c_str()) != 0)
    throw system_error(Status::kUnreachable, "write the trail", path_);
  close(fd_);
  fd_ = -1;
  sync_directory_of(path_);
}

void compress(const std::string& from, const std::string& to) {
  const Part plain{from, 1, false}, packed{to, 1, true};
  const auto same_bytes = [](const Part& part) {
    Digest digest{};
    const auto fold = [&](std::string_view line) {
      digest = sha256({bytes_of(digest), line});
      return true;
    };
    read_lines(part, fold, fold);
    return digest;
  };
  NewFile file(to, true);
  read_lines(
      plain,
      [&](std::string_view line) {
        file.write(line);
        file.write("\n");
        return true;
      },
      [&](std::string_view rest) { file.write(rest); });
  file.keep();
  if (same_bytes(plain) != same_bytes(packed)) {
    unlink(to.c_str());
    throw Error(Status::kUnreachable, "compress the trail", to, "it does not read back as it was written");
  }
}

std::optional<TrailHead> read_head(const std::string& trail) {
  const Fd fd(open((trail + ".head").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  std::string text(kBlock / 1024, '\0');
  const ssize_t size = read(fd.get(), text.data(), text.size());
  if (size <= 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(size));
  text = text.substr(0, text.find('\n'));  // what is behind it is of a longer one before
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("seq") || !parsed["seq"].is_number_integer())
    return std::nullopt;
  const auto text_of = [&](const char* name) {
    return parsed.contains(name) && parsed[name].is_string() ? parsed[name].get<std::string>()
                                                             : std::string();
  };
  const auto hash = from_hex<Digest>(text_of("hash"));
  if (!hash) return std::nullopt;
  return TrailHead{text_of("chain"), parsed["seq"].get<std::int64_t>(), *hash, text_of("boot")};
}

}  // namespace rackline::audit
