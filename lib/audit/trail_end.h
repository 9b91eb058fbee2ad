// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "audit/line.h"
#include "audit/verify.h"

namespace rackline::audit {

// What a writer looks at before it goes on: the last two whole lines, and what is behind them.
struct TrailEnd {
  bool any = false;          // there is a whole line
  std::string last, before;  // without their ends; `before` is empty where the last one is the first
  std::string torn;          // a line that was not written to its end
};
TrailEnd read_end(int fd, std::int64_t size, const std::string& trail);

// The last line, when it is as it was written. Throws Error(kRefused) when it does not fit its own hash, or
// when its writer remembers another line of that number.
LineInfo check_last(const TrailEnd& end, const std::optional<TrailHead>& head, const std::string& trail);

// Lines that a writer has written to their end and that are no longer there. A writer that dies leaves its
// head behind the file; before it, only somebody who has cut the file brings it, or a power cut.
struct Loss {
  std::int64_t first = 0, last = 0;
  Digest hash{};  // of the last of them
  std::int64_t count() const { return last - first + 1; }
};
std::optional<Loss> loss_of(const LineInfo& last, const std::optional<TrailHead>& head);
[[noreturn]] void refuse(const Loss& loss, bool torn, const std::string& trail);

}  // namespace rackline::audit
