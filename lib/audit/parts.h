// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/verify.h"
#include "base/fd.h"

namespace rackline::audit {

// The files of one trail. TRAIL is the one that is written; when it is rotated it becomes TRAIL.000001, then
// TRAIL.000002 and so on, or the same with ".zst" when it was compressed. Together and in this order they are
// one chain. TRAIL.head says where the last writer left off. Where TRAIL is a symbolic link, all of them
// stand beside the file that it leads to.

struct Part {
  std::string file;
  std::int64_t number = 0;  // 0: the one that is written
  bool compressed = false;
  // Of the one that is written, where it is to be read as of one moment: the open file, and how much of it
  // there was.
  std::shared_ptr<Fd> open = {};
  std::int64_t size = -1;
};

// In the order of the chain. Only what is there; where a part is there plain and compressed, a rotation was
// cut off and the plain one counts.
std::vector<Part> parts_of(const std::string& trail);

// A trail as of one moment, between two turns of those who write it: they go on while it is read.
struct Moment {
  std::vector<Part> parts;
  std::optional<TrailHead> head;
};
Moment moment_of(const std::string& trail);

std::string part_name(const std::string& trail, std::int64_t number);

// Hands over each line without its end; false from `each`: no more are wanted. What stands behind the last
// line's end goes to `torn`. Throws Error(kUnreachable) when it cannot be read, also what is no zstd.
using EachLine = std::function<bool(std::string_view line)>;
void read_lines(const Part& part, const EachLine& each, const std::function<void(std::string_view)>& torn);

// Writes a compressed copy, durably, and reads it back. Throws Error(kUnreachable).
void compress(const std::string& from, const std::string& to);

// Writes a file whole, durably, and puts it where `path` is; one with ".zst" in its name is compressed.
class NewFile {
 public:
  NewFile(std::string path, bool compressed);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::string_view text);
  // On the disk when it returns; until then there is only a file beside it, which goes with this object.
  void keep();

 private:
  struct Stream;
  void put(std::string_view bytes);
  void flush_stream(bool end);
  std::string path_, scratch_;
  int fd_ = -1;
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
};

// Makes a rename or a new name durable.
void sync_directory_of(const std::string& path);

std::optional<TrailHead> read_head(const std::string& trail);

}  // namespace rackline::audit
