// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "iscsi/tgt_text.h"

namespace {

template <typename Parse>
void try_to(const Parse& parse) {
  try {
    parse();
  } catch (const rackline::Error&) {
    // What is not of that form is refused.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rackline::iscsi;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_to([&] { parse_tgt_targets(text); });
  try_to([&] { parse_tgt_counters(text); });
  try_to([&] { parse_allocated(text); });
  TgtRoom room;
  try_to([&] { add_file_systems(text, room); });
  return 0;
}
