// SPDX-License-Identifier: Apache-2.0
// Lines of a trail that anybody may have written: read without a step beyond their ends; a line of ours that
// was changed is never taken for what it was.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "audit/line.h"
#include "audit/verify.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rackline::audit;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const LineInfo info = read_line(text, true);
  fields_of(text);
  members_of(text);
  record_in(text);
  redacted_fields(text);
  if (info.readable) {
    try {
      const auto redacted = redact_line(text, {"actor"});
      const LineInfo again = read_line(redacted, true);
      if (!again.readable || again.root != info.root || again.hash != info.hash) std::abort();
    } catch (const rackline::Error&) {
      // it has no such field
    }
  }
  Verifier verifier({}, {});
  verifier.begin_file("fuzz");
  verifier.line(text);
  verifier.line(text);
  verifier.finish({});

  // What is appended can be read, links, and does not when a byte is another.
  std::string body = "\"actor\":" + json_text(text.substr(0, size / 2)) + ",\"line\":" + json_text(text);
  std::string line;
  Digest before{};
  append_line(line, {LineKind::kRecord, {}, 7, body}, Salt{}, before);
  line.pop_back();
  const LineInfo ours = read_line(line, true);
  if (!ours.readable || ours.linked_to({}) != before) std::abort();
  line[size % line.size()] = static_cast<char>(line[size % line.size()] ^ 1);
  const LineInfo changed = read_line(line);
  if (changed.readable && changed.linked_to({}) == before && changed.hash == before) std::abort();
  return 0;
}
