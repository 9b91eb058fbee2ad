// SPDX-License-Identifier: Apache-2.0
#include "failover/recovery_service.h"

namespace rackline::failover {
namespace {

// One that refused is asked again after this.
constexpr Milliseconds kRetry{5000};
// Else it is looked this often whether what should run does.
constexpr Milliseconds kKeep{10'000};

}  // namespace

bool RecoveryService::patiently(const std::function<void()>& work) {
  try {
    work();
    told_.clear();
    return true;
  } catch (const Error& error) {
    // @rule 12-store-is-waited-for: true
    if (error.status() != Status::kBusy && error.status() != Status::kUnreachable) throw;
    if (told_ != error.what()) warn_(std::string(error.what()) + "; trying again");
    told_ = error.what();
    return false;
  }
}

void RecoveryService::begin() {
  settled_ = patiently([this] { recovery_.settle(); });
}

void RecoveryService::work_off() {
  while (!waiting_.empty()) {
    const auto& [fenced, read_at] = waiting_.front();
    const bool done = patiently([&] { recovery_.accept(fenced, read_at); });
    // One that is accepted is worked on by every later pass.
    if (!done && !recovery_.waiting()) return;
    waiting_.pop_front();
    if (!done) return;
  }
}

void RecoveryService::take(const record::HostFenced& fenced, Milliseconds read_at) {
  waiting_.emplace_back(fenced, read_at);
  work_off();
}

void RecoveryService::idle(const View* seen) {
  if (!settled_) begin();
  if (!waiting_.empty()) {
    work_off();
  } else if (recovery_.pending()) {
    patiently([&] { recovery_.retry(seen); });
    if (seen != nullptr) return;  // it has done what keep() does
  }
  patiently([&] { recovery_.keep(seen); });
}

Milliseconds RecoveryService::patience() const {
  return !waiting_.empty() || !settled_ || recovery_.pending() ? kRetry : kKeep;
}

void RecoveryService::end() {
  for (; !waiting_.empty(); waiting_.pop_front())
    recovery_.accept(waiting_.front().first, waiting_.front().second);
  if (recovery_.waiting()) recovery_.retry();
}

}  // namespace rackline::failover
