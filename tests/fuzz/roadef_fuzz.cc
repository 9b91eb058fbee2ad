// SPDX-License-Identifier: Apache-2.0
// Whatever bytes are an instance: it is read or refused, and what is read can be judged.
#include <cstdint>
#include <string>

#include "base/error.h"
#include "roadef/checker.h"
#include "roadef/instance.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rackline;
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const bench::Instance instance = bench::parse_instance(text, "fuzz");
    const std::vector<int> initial(instance.processes.size(), 0);
    bench::check(instance, initial, initial);
  } catch (const Error& error) {
    if (error.status() != Status::kUsage) __builtin_trap();
  }
  return 0;
}
