// SPDX-License-Identifier: Apache-2.0
#include "ha/complaints.h"

namespace rackline::ha {
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
  if (complaints_.empty() || (told_ && now - *told_ < kComplain)) return;
  for (const auto& [what, complaint] : complaints_) {
    std::string lately = complaint.detail;
    if (complaint.from.length != 0) lately += (lately.empty() ? "from " : ", from ") + complaint.from.text();
    warn_(what + (lately.empty() ? "" : ": lately " + lately) +
          (complaint.count > 1 ? " (" + std::to_string(complaint.count) + " times)" : ""));
  }
  if (more_ > 0) warn_("and " + std::to_string(more_) + " messages more of other kinds");
  complaints_.clear();
  more_ = 0;
  told_ = now;
}

}  // namespace rackline::ha
