// SPDX-License-Identifier: Apache-2.0
#include "audit/check.h"

#include "audit/parts.h"
#include "base/error.h"
#include "base/interrupt.h"

namespace rackline::audit {
namespace {

Moment present(const std::string& trail) {
  auto moment = moment_of(trail);
  if (moment.parts.empty()) throw Error(Status::kUsage, "read the trail", trail, "there is none");
  return moment;
}

}  // namespace

Verified check_trail(const std::string& trail, VerifyOptions options, const Verifier::Report& report) {
  const auto from_part = options.from_part;
  Verifier verifier(std::move(options), report);
  const auto moment = present(trail);
  for (const auto& part : moment.parts) {
    if (part.number != 0 && part.number < from_part) continue;
    verifier.begin_file(part.file);
    const auto look = [&](std::string_view line) {
      verifier.line(line);
      return !interrupt::requested();
    };
    try {
      read_lines(part, look, [&](std::string_view rest) { verifier.torn(rest.size()); });
    } catch (const Error& error) {
      if (!part.compressed) throw;
      verifier.unreadable(error.why());
    }
  }
  if (interrupt::requested()) return {};  // of a part of a trail nothing can be said
  return verifier.finish(moment.head);
}

std::vector<std::string> read_checkpoints(const std::string& file) {
  std::vector<std::string> lines;
  const auto keep = [&](std::string_view line) {
    if (!line.empty()) lines.emplace_back(line);
    return true;
  };
  try {
    read_lines({file, 0, false}, keep, [&](std::string_view line) { keep(line); });
  } catch (const Error& error) {
    throw Error(error.status(), "read the kept checkpoints", file, error.why(), error.hint());
  }
  return lines;
}

void all_lines(const std::string& trail, const std::function<bool(std::string_view)>& each) {
  for (const auto& part : present(trail).parts) read_lines(part, each, {});
}

}  // namespace rackline::audit
