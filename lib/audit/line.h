// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/digest.h"

namespace rackline::audit {

// One line of a trail. All have the same form:
//
//   {"kind":K,"time":T,"tool":"audit","seq":N, ... ,"salt":S,"root":R,"hash":H}
//
// The chain: text = SHA-256(the line before ,"root"), H = SHA-256(H of the line before | text | R), all in
// lower-case hex; | joins the bytes. So whoever knows one H can tell whether anything before it was changed,
// with twenty lines of any language.
//
// So that a field can be taken out later (a name that must be forgotten) and the line still be checked, R
// commits to each field by itself: R = SHA-256(c0 | c1 | ...) over all members before the salt, those of
// "record" each for itself, in their order; ci = SHA-256(si | name | ":" | value as it is written), the names
// of members of the record with "record." before them; si = the first 16 bytes of SHA-256(S | i as 32 bits,
// big-endian). When a field is taken out, {"redacted":ci} stands in its place, and
// ,"salts":[s0,s1,...],"text":text in the place of the salt, with "" for the si of what was taken out.
// Without its salt a ci tells nothing, however few values the field may have had; and S, from which the salt
// could be derived, is gone.
//
// A Merkle tree over the fields was discarded: records are small, so the list of salts is no burden, and only
// lines that were redacted carry it.

enum class LineKind : std::uint8_t {
  kBegin,       // the first line of a part: which chain, which part, and the hash before it
  kRecord,      // what passed
  kClose,       // a writer ended in order
  kCheckpoint,  // a signature over everything before it
  kRepaired,    // a torn last line was taken away
  kRotated,     // the last line of a part
  kRedacted,    // fields of an earlier line were taken out
  kTruncated,   // the lines before it were cut off, and somebody has gone on without them
};
std::string_view name_of(LineKind kind);

// A member of an object, as it is written; the name is without its quotes.
struct Member {
  std::string_view name, value;
};

// The members of a JSON object, nothing when it is none. What stands inside the values is only looked at as
// far as finding their ends takes it.
std::optional<std::vector<Member>> members_of(std::string_view object);

// `text` as a JSON string, with its quotes. Broken UTF-8 becomes U+FFFD.
std::string json_text(std::string_view text);
// The contents of a JSON string with its quotes; nothing when it is none.
std::optional<std::string> unquoted(std::string_view value);

// A line to be written. `body` are the members between seq and salt: "actor":"root",...
struct NewLine {
  LineKind kind = LineKind::kRecord;
  std::chrono::sys_seconds time{};
  std::int64_t seq = 0;
  std::string_view body;
};
// The line with its end, chained to `before`, which becomes the new line's hash.
void append_line(std::string& out, const NewLine& line, const Salt& salt, Digest& before);

// What checking a line needs of it.
struct LineInfo {
  bool readable = false;
  std::string why;  // when it is not
  LineKind kind = LineKind::kRecord;
  bool redacted = false;
  std::int64_t seq = 0;
  Digest text{}, root{}, hash{};

  Digest linked_to(const Digest& before) const {
    return sha256({bytes_of(before), bytes_of(text), bytes_of(root)});
  }
};
// `line` without its end. Whether the root fits the fields is only looked at where the line was redacted, as
// otherwise the text is known to be what was written, or with `thorough`.
LineInfo read_line(std::string_view line, bool thorough = false);

// A name of a member, whatever escapes it is written with.
std::string plain_name(std::string_view name);

// The members of a line before its salts, those of the record as "record.NAME"; names are plain.
struct Fields {
  std::vector<std::string> names;
  std::vector<std::string_view> values;
};
std::optional<Fields> fields_of(std::string_view line);

// The value of a member of the line itself ("actor") or of its record ("record.vm"), as it is written.
std::optional<std::string_view> member(std::string_view line, std::string_view name);
std::string text_member(std::string_view line, std::string_view name);  // of a string; else empty
std::int64_t integer_member(std::string_view line, std::string_view name);

// What passed: the member record, or the text of a line that was none. Empty for lines about the trail.
std::string record_in(std::string_view line);

// The line with these fields taken out: names as of fields_of. Throws Error(kUsage) when there is no such
// field or it is one that every line needs (kind, time, tool, seq).
std::string redact_line(std::string_view line, const std::vector<std::string>& names);
// Which fields of it were taken out.
std::vector<std::string> redacted_fields(std::string_view line);

}  // namespace rackline::audit
