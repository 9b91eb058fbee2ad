// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/complaints.h"

namespace rackline::heartbeat {
namespace {

constexpr Milliseconds kComplain{60'000};

}  // namespace

void Complaints::add(const std::string& what, const net::Endpoint& from, const std::string& detail) {
  if (complaints_.size() >= kMost && !complaints_.contains(what)) {
    ++more_;
    return;
  }
  Complaint& complaint = complaints_[what];
  ++complaint.count;
  complaint.from = from;
  complaint.detail = detail;
}

void Complaints::tell(Milliseconds now) {
  const auto due = [&](const std::optional<Milliseconds>& told) { return !told || now - *told >= kComplain; };
  for (auto it = complaints_.begin(); it != complaints_.end();) {
    auto& [what, complaint] = *it;
    if (!due(complaint.told)) {
      ++it;
    } else if (complaint.count == 0) {
      it = complaints_.erase(it);
    } else {
      std::string lately = complaint.detail;
      if (complaint.from.length != 0)
        lately += (lately.empty() ? "from " : ", from ") + complaint.from.text();
      warn_(what + (lately.empty() ? "" : ": lately " + lately) +
            (complaint.count > 1 ? " (" + std::to_string(complaint.count) + " times)" : ""));
      complaint.count = 0;
      complaint.told = now;
      ++it;
    }
  }
  if (more_ == 0 || !due(more_told_)) return;
  warn_("and " + std::to_string(more_) + " messages more of other kinds");
  more_ = 0;
  more_told_ = now;
}

}  // namespace rackline::heartbeat
