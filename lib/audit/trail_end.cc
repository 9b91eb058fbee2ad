// SPDX-License-Identifier: Apache-2.0
#include "audit/trail_end.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace rackline::audit {
namespace {

constexpr std::size_t kTailBlock = 64 << 10;

[[noreturn]] void refuse_last(const std::string& trail, const std::string& why) {
  throw Error(Status::kRefused, "open the trail", trail, "its last line is not as it was written: " + why,
              "audit verify --file " + trail + " tells what is wrong");
}

}  // namespace

TrailEnd read_end(int fd, std::int64_t size, const std::string& trail) {
  constexpr std::size_t kNone = std::string::npos;
  std::string tail;
  std::int64_t from = size;
  // Where the last line ends, the one before it, and the one before that.
  std::size_t last = kNone, second = kNone, third = kNone;
  const auto end_before = [&](std::size_t at) {
    return at == kNone || at == 0 ? kNone : tail.rfind('\n', at - 1);
  };
  while (from > 0 && third == kNone) {
    const auto step =
        std::min<std::int64_t>(from, static_cast<std::int64_t>(std::max(kTailBlock, tail.size())));
    std::string block(static_cast<std::size_t>(step), '\0');
    from -= step;
    if (pread(fd, block.data(), block.size(), from) != static_cast<ssize_t>(block.size()))
      throw system_error(Status::kUnreachable, "read the trail", trail, EIO);
    tail.insert(0, block);
    last = tail.rfind('\n');
    second = end_before(last);
    third = end_before(second);
  }
  TrailEnd end;
  end.any = last != kNone;
  end.torn = tail.substr(end.any ? last + 1 : 0);
  if (!end.any) return end;
  const std::size_t start = second == kNone ? 0 : second + 1;
  end.last = tail.substr(start, last - start);
  const std::size_t start_before = third == kNone ? 0 : third + 1;
  if (second != kNone) end.before = tail.substr(start_before, second - start_before);
  return end;
}

LineInfo check_last(const TrailEnd& end, const std::optional<TrailHead>& head, const std::string& trail) {
  LineInfo info = read_line(end.last);
  if (!info.readable) refuse_last(trail, info.why);
  const Digest before = info.kind == LineKind::kBegin
                            ? from_hex<Digest>(text_member(end.last, "after")).value_or(Digest{})
                            : read_line(end.before).hash;
  if (info.linked_to(before) != info.hash) refuse_last(trail, "it does not fit its hash");
  if (head && head->seq == info.seq && head->hash != info.hash)
    refuse_last(trail, "its writer remembers another line");
  return info;
}

std::optional<Loss> loss_of(const LineInfo& last, const std::optional<TrailHead>& head) {
  if (!head || head->seq <= last.seq) return std::nullopt;
  return Loss{last.seq + 1, head->seq, head->hash};
}

void refuse(const Loss& loss, bool torn, const std::string& trail) {
  const std::string first = std::to_string(loss.first);
  std::string why = loss.count() == 1 ? "line " + first + " is missing at its end"
                                      : std::to_string(loss.count()) + " lines are missing at its end, " +
                                            first + " to " + std::to_string(loss.last);
  if (torn) why += " (there is a part of line " + first + ")";
  throw Error(Status::kRefused, "open the trail", trail, why + ": " + trail + ".head knows them",
              "audit verify --file " + trail + " tells what is wrong; audit append --file " + trail +
                  " --accept-loss goes on, and the trail then says for good what is missing");
}

}  // namespace rackline::audit
