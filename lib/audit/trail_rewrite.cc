// SPDX-License-Identifier: Apache-2.0
// What gives the files of a trail another form: rotation and redaction.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "audit/parts.h"
#include "audit/trail.h"
#include "audit/trail_turn.h"
#include "base/error.h"

namespace rackline::audit {
namespace {

using Changes =
    std::map<std::string, std::map<std::int64_t, std::string>>;  // file, number of the line, new line

// The lines as they are to be. Throws Error(kUsage) for one that is no record, or is not there.
Changes changes_of(const std::vector<Part>& parts, const Trail::Redaction& redaction,
                   const std::vector<std::string>& fields) {
  Changes changes;
  std::set<std::int64_t> missing(redaction.lines.begin(), redaction.lines.end());
  for (const auto& part : parts) {
    if (missing.empty()) break;
    read_lines(part,
               [&](std::string_view line) {
                 const LineInfo info = read_line(line);
                 if (!info.readable || missing.erase(info.seq) == 0) return true;
                 if (info.kind != LineKind::kRecord)
                   throw Error(Status::kUsage, "redact", "line " + std::to_string(info.seq),
                               "it is no record");
                 const auto gone = redacted_fields(line);
                 std::vector<std::string> left;
                 for (const auto& field : fields) {
                   if (std::find(gone.begin(), gone.end(), field) == gone.end()) left.push_back(field);
                 }
                 if (!left.empty()) changes[part.file][info.seq] = redact_line(line, left);
                 return true;
               },
               {});
  }
  if (!missing.empty())
    throw Error(Status::kUsage, "redact", "line " + std::to_string(*missing.begin()),
                "it is not in the trail");
  return changes;
}

// Puts the changed lines in the place of the old ones.
void rewrite(const Part& part, const std::map<std::int64_t, std::string>& lines) {
  NewFile file(part.file, part.compressed);
  read_lines(part,
             [&](std::string_view line) {
               const auto change = lines.find(read_line(line).seq);
               file.write(change == lines.end() ? line : std::string_view(change->second));
               file.write("\n");
               return true;
             },
             {});
  file.keep();
  if (part.number != 0) chmod(part.file.c_str(), 0400);
}

}  // namespace

// The full part gets its number as a second name before the new one takes its place under the first, so that
// there is never a moment without a trail.
void Trail::finish_rotation() {
  const std::string full = part_name(path_, state_.part);
  if (link(path_.c_str(), full.c_str()) != 0 && errno != EEXIST)
    throw system_error(Status::kUnreachable, "rotate the trail", full);
  struct stat ours = {}, there = {};
  if (fstat(fd_->get(), &ours) != 0 || stat(full.c_str(), &there) != 0 || ours.st_ino != there.st_ino)
    throw Error(Status::kRefused, "rotate the trail", full, "another file has this name already");
  State begun;
  const std::string line = begin_line(state_, state_.part + 1, {}, begun);
  NewFile file(path_, false);
  file.write(line);
  file.keep();
  state_ = begun;
  // The head stays behind until the next line: the lock is that of the full part, and somebody may write to
  // the new one already.
}

std::optional<Trail::Rotated> Trail::rotate(bool compressed) {
  Rotated rotated;
  {
    Turn turn(*this);
    struct stat about = {};
    if (state_.last == LineKind::kBegin) return std::nullopt;
    // Of another chain that stood here before: a part is never written over.
    for (const auto* ending : {"", ".zst"}) {
      const std::string taken = part_name(path_, state_.part) + ending;
      if (access(taken.c_str(), F_OK) == 0)
        throw Error(Status::kRefused, "rotate the trail", taken, "another file has this name already",
                    "move it and its fellows away: they are another trail");
    }
    State next = state_;
    std::string out;
    add_line(out, next, LineKind::kRotated, "\"part\":" + std::to_string(state_.part) + "," + who());
    write(out, next);
    sync_file();
    rotated = {part_name(path_, state_.part), state_.part, state_.seq - 1};
    finish_rotation();
    turn.forget();
    if (stat(rotated.file.c_str(), &about) == 0) chmod(rotated.file.c_str(), about.st_mode & 0444U);
  }
  if (compressed) {
    const std::string packed = rotated.file + ".zst";
    compress(rotated.file, packed);
    chmod(packed.c_str(), 0400);
    if (unlink(rotated.file.c_str()) != 0)
      throw system_error(Status::kUnreachable, "rotate the trail", rotated.file);
    rotated.file = packed;
  }
  return rotated;
}

std::size_t Trail::redact(const Redaction& redaction) {
  Turn turn(*this);
  auto fields = redaction.fields;
  // It stands in the line as well.
  if (std::find(fields.begin(), fields.end(), "record.cause") != fields.end()) fields.emplace_back("cause");
  const auto parts = parts_of(path_);
  const Changes changes = changes_of(parts, redaction, fields);
  if (changes.empty()) return 0;
  // First it is said what is taken out: were this cut off between the two, it would be seen, and can be done
  // again.
  std::size_t changed = 0;
  State next = state_;
  std::string out, names;
  for (const auto& field : fields) names += (names.empty() ? "" : ",") + json_text(field);
  for (const auto& [file, lines] : changes) {
    for (const auto& [seq, line] : lines) {
      ++changed;
      add_line(out, next, LineKind::kRedacted,
               "\"line\":" + std::to_string(seq) + ",\"fields\":[" + names +
                   "],\"reason\":" + json_text(redaction.reason) + "," + who());
    }
  }
  write(out, next);
  sync_file();
  for (const auto& part : parts) {
    if (const auto lines = changes.find(part.file); lines != changes.end()) rewrite(part, lines->second);
  }
  turn.forget();
  return changed;
}

}  // namespace rackline::audit
