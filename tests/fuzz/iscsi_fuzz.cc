// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "iscsi/reply.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rackline::iscsi;
  const Bytes bytes(data, size);
  const auto sense = parse_sense(bytes);
  if (sense) {
    words_of(*sense);
    attention_of(*sense);
  }
  condition_of(size == 0 ? 0 : data[0], sense);
  if (const auto serial = parse_serial(bytes)) {
    for (const char c : *serial) {
      if (c <= ' ' || c > '~') std::abort();
    }
  }
  parse_naa(bytes);
  parse_device_type(bytes);
  parse_write_protected(bytes);
  parse_provisioning(bytes);
  if (const auto capacity = parse_capacity(bytes); capacity && capacity->blocks == 0) std::abort();
  parse_luns(bytes);
  parse_extents(bytes);
  parse_keys(bytes);
  parse_reservation(bytes);
  return 0;
}
