// SPDX-License-Identifier: Apache-2.0
// What people write: a size, a duration or a time is read, or refused by an Error; what was read is in range,
// and a time is written as it came.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "base/units.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

template <class F>
void refuses_or(F&& parse) {
  try {
    parse();
  } catch (const rackline::Error& error) {
    require(error.status() == rackline::Status::kUsage);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  refuses_or([&] {
    const auto bytes = rackline::parse_bytes(text);
    require(bytes >= 0 && !rackline::format_bytes(bytes).empty());
  });
  refuses_or([&] {
    const auto duration = rackline::parse_duration(text);
    require(duration.count() >= 0 && !rackline::format_duration(duration).empty());
  });
  if (const auto time = rackline::parse_time(text)) require(rackline::format_time(*time) == text);
  return 0;
}
