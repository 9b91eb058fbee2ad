// SPDX-License-Identifier: Apache-2.0
#include "cluster/annotate.h"

#include <unistd.h>

#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace rackline::cluster {
namespace {

// Opening would create it.
bool is_there(const std::string& url) {
  constexpr std::string_view kFile = "sqlite:";
  return !url.starts_with(kFile) || access(url.c_str() + kFile.size(), F_OK) == 0 || errno != ENOENT;
}

}  // namespace

std::string Observed::read(std::chrono::sys_seconds now) {
  error_.clear();
  hosts_.clear();
  try {
    if (!store_ && is_there(url_)) store_ = store::Store::open(url_);
    if (store_) hosts_ = host_statuses(*store_, now);
  } catch (const Error& error) {
    error_ = error.what();
  }
  return error_;
}

void Observed::annotate(record::HostSample& sample) const {
  if (!error_.empty()) {  // @rule 24-marks-unreadable
    sample.cluster_state = name_of(HostState::kUnknown);
    sample.cluster_reason = error_;
    return;
  }
  if (!store_) return;
  const auto found = hosts_.find(sample.host);
  if (found == hosts_.end()) {
    const bool drained = sample.drained.value_or(false);
    sample.cluster_state = name_of(drained ? HostState::kDraining : HostState::kServing);
    if (drained) sample.cluster_by = "inventory";
    return;
  }
  const HostStatus& status = found->second;
  sample.cluster_state = name_of(status.state);
  if (status.since != std::chrono::sys_seconds{}) sample.cluster_since = format_time(status.since);
  if (!status.by.empty()) sample.cluster_by = status.by;
  if (!status.reason.empty()) sample.cluster_reason = status.reason;
}

}  // namespace rackline::cluster
