// SPDX-License-Identifier: Apache-2.0
#include "iscsi/tgt_text.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/printable.h"

namespace rackline::iscsi {
namespace {

constexpr std::size_t kLongestShown = 120;

class Lines {
 public:
  Lines(std::string_view text, const char* program) : text_(text), program_(program) {}

  // False at the end. Sets the line, its indent, and its two halves at ": " or at a last ":".
  bool next() {
    if (at_ >= text_.size()) return false;
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    line_ = text_.substr(at_, end - at_);
    at_ = end + 1;
    ++number_;
    indent = std::min(line_.find_first_not_of(' '), line_.size());
    const std::string_view words = line_.substr(indent);
    const std::size_t colon = words.find(": ");
    const bool heading = colon == std::string_view::npos && !words.empty() && words.back() == ':';
    name = heading ? words.substr(0, words.size() - 1) : words.substr(0, colon);
    value = colon == std::string_view::npos ? std::string_view{} : words.substr(colon + 2);
    return true;
  }

  std::string_view line() const { return line_; }
  std::string_view name, value;
  std::size_t indent = 0;

  [[noreturn]] void refuse() const {
    throw Error(Status::kUnreachable, "read what " + std::string(program_) + " says",
                "line " + std::to_string(number_),
                "\"" + printable(std::string(line_.substr(0, kLongestShown))) + "\" is not expected there");
  }

  template <typename Number>
  Number number(std::string_view word, int base = 10) const {
    Number read = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), read, base);
    if (error != std::errc() || end != word.data() + word.size()) refuse();
    return read;
  }

  bool yes() const {
    if (value != "Yes" && value != "No") refuse();
    return value == "Yes";
  }

 private:
  std::string_view text_, line_;
  const char* program_;
  std::size_t at_ = 0, number_ = 0;
};

void take_lun(const Lines& lines, TgtLun& lun) {
  if (lines.name == "Type") lun.type = lines.value;
  if (lines.name == "SCSI ID") lun.scsi_id = lines.value;
  if (lines.name == "SCSI SN") lun.serial = lines.value;
  if (lines.name == "Size") lun.size = lines.value;
  if (lines.name == "Online") lun.online = lines.yes();
  if (lines.name == "Readonly") lun.read_only = lines.yes();
  if (lines.name == "Thin-provisioning") lun.thin = lines.yes();
  if (lines.name == "Backing store path") lun.backing_path = lines.value;
}

void take_session(const Lines& lines, TgtSession& session) {
  // "Initiator: IQN alias: NAME"
  if (lines.name == "Initiator") session.initiator = lines.value.substr(0, lines.value.find(" alias: "));
  if (lines.name == "IP Address" && session.address.empty()) session.address = lines.value;
}

}  // namespace

std::vector<TgtTarget> parse_tgt_targets(std::string_view text) {
  std::vector<TgtTarget> targets;
  std::string_view section;
  Lines lines(text, "tgtadm");
  while (lines.next()) {
    if (lines.line().empty()) continue;
    if (lines.indent == 0) {
      if (!lines.name.starts_with("Target ") || lines.value.empty()) lines.refuse();
      TgtTarget& target = targets.emplace_back();
      target.id = lines.number<std::uint32_t>(lines.name.substr(7));
      target.iqn = lines.value;
      section = {};
      continue;
    }
    if (targets.empty()) lines.refuse();
    TgtTarget& target = targets.back();
    if (lines.indent == 4) {
      section = lines.name;
    } else if (section == "I_T nexus information") {
      if (lines.indent == 8) {
        if (lines.name != "I_T nexus") lines.refuse();
        target.sessions.emplace_back().id = lines.number<std::uint64_t>(lines.value);
      } else {
        if (target.sessions.empty()) lines.refuse();
        take_session(lines, target.sessions.back());
      }
    } else if (section == "LUN information") {
      if (lines.indent == 8) {
        if (lines.name != "LUN") lines.refuse();
        target.luns.emplace_back().number = lines.number<std::uint32_t>(lines.value);
      } else {
        if (target.luns.empty()) lines.refuse();
        take_lun(lines, target.luns.back());
      }
    }
  }
  return targets;
}

std::vector<TgtCounters> parse_tgt_counters(std::string_view text) {
  std::vector<TgtCounters> all;
  Lines lines(text, "tgtadm");
  if (!lines.next()) return all;
  if (!lines.line().starts_with("tgt lun sid ")) lines.refuse();
  while (lines.next()) {
    std::array<std::uint64_t, 12> numbers{};
    std::string_view left = lines.line();
    for (auto& number : numbers) {
      left.remove_prefix(std::min(left.find_first_not_of(' '), left.size()));
      const std::string_view word = left.substr(0, left.find(' '));
      number = lines.number<std::uint64_t>(word);
      left.remove_prefix(word.size());
    }
    if (left.find_first_not_of(' ') != std::string_view::npos) lines.refuse();
    const auto& [target, lun, session, rs_bytes, rs, rd_bytes, rd, ws_bytes, ws, wd_bytes, wd, errors] =
        numbers;
    const std::uint64_t submitted = rs + ws;
    const std::uint64_t done = rd + wd;
    all.push_back({static_cast<std::uint32_t>(target), static_cast<std::uint32_t>(lun), session, rd_bytes, rd,
                   wd_bytes, wd, submitted > done ? submitted - done : 0, errors});
  }
  return all;
}

namespace {

// Takes the number before the next colon, or all that is left.
std::uint64_t take_number(const Lines& lines, std::string_view& rest, int base = 10) {
  const std::string_view word = rest.substr(0, rest.find(':'));
  rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  return lines.number<std::uint64_t>(word, base);
}

}  // namespace

std::map<std::string, std::uint64_t> parse_allocated(std::string_view text) {
  constexpr int kHexadecimal = 16;
  std::map<std::string, std::uint64_t> files;
  Lines lines(text, "stat");
  while (lines.next()) {
    if (lines.line().empty()) continue;
    std::string_view rest = lines.line();
    const std::uint64_t mode = take_number(lines, rest, kHexadecimal);
    const std::uint64_t blocks = take_number(lines, rest);
    const std::uint64_t block_bytes = take_number(lines, rest);
    if (rest.empty()) lines.refuse();
    if (S_ISREG(mode)) files[std::string(rest)] = blocks * block_bytes;
  }
  return files;
}

void add_file_systems(std::string_view text, TgtRoom& room) {
  constexpr int kHexadecimal = 16;
  std::set<std::uint64_t> seen;
  Lines lines(text, "stat");
  while (lines.next()) {
    if (lines.line().empty()) continue;
    std::string_view rest = lines.line();
    const std::uint64_t id = take_number(lines, rest, kHexadecimal);
    const std::uint64_t block_bytes = take_number(lines, rest);
    const std::uint64_t all = take_number(lines, rest);
    const std::uint64_t free = take_number(lines, rest);
    if (!seen.insert(id).second) continue;
    room.size_bytes = room.size_bytes.value_or(0) + all * block_bytes;
    room.free_bytes = room.free_bytes.value_or(0) + free * block_bytes;
  }
}

}  // namespace rackline::iscsi
