// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace rackline {

// What people write on a command line and read in a table. Records carry plain numbers and never these.

// "1500" (bytes), "64KiB", "2GiB", "1.5TiB", "10GB" (powers of 1000). Throws Error(kUsage) for anything else,
// for a negative size and for one above 2^63-1.
std::int64_t parse_bytes(std::string_view text);

// "250ms", "10s", "5m", "2h", "1d", "4w". A bare number is refused except "0": is "10" seconds or
// milliseconds?
std::chrono::milliseconds parse_duration(std::string_view text);

// "1.5GiB", three significant digits.
std::string format_bytes(std::int64_t bytes);

// "850ms", "12.3s", "4m10s", "2h05m", "30m".
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace rackline
