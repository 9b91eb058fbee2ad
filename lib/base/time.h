// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rackline {

using Milliseconds = std::chrono::milliseconds;

// Two times that must not be mixed: the wall clock stamps records and may step; the monotonic clock measures
// durations, deadlines and order. Logic that depends on time takes a Clock, so that tests run in simulated
// time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::sys_seconds wall() const = 0;
  virtual Milliseconds monotonic() const = 0;  // since an arbitrary start
};

// The machine's own clocks (CLOCK_REALTIME and CLOCK_MONOTONIC).
const Clock& system_clock();

// A clock that stands still until it is told to go on.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(std::chrono::sys_seconds start = std::chrono::sys_seconds{std::chrono::seconds{
                         1'800'000'000}})
      : start_(start) {}
  std::chrono::sys_seconds wall() const override {
    return start_ + std::chrono::duration_cast<std::chrono::seconds>(elapsed_);
  }
  Milliseconds monotonic() const override { return elapsed_; }
  void advance(Milliseconds by) { elapsed_ += by; }

 private:
  std::chrono::sys_seconds start_;
  Milliseconds elapsed_{0};
};

// RFC 3339 in UTC, whole seconds, "Z": "2026-11-22T12:00:00Z" (what jq 1.6's fromdate takes, and nothing
// else).
std::string format_time(std::chrono::sys_seconds time);
std::optional<std::chrono::sys_seconds> parse_time(std::string_view text);

}  // namespace rackline
