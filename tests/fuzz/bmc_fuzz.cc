// SPDX-License-Identifier: Apache-2.0
// What management controllers answer: never more than a UUID or nothing, and what is read means the same when
// it is written and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "bmc/address.h"
#include "bmc/reply.h"
#include "net/spelling.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rackline;
  using namespace rackline::bmc;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& uuid : {guid_of_ipmitool(text), uuid_of_redfish(text), parse_uuid(text)}) {
    if (!uuid) continue;
    if (parse_uuid(to_text(*uuid)) != uuid || !same_system(*uuid, *uuid)) std::abort();
    is_unique(*uuid);
  }
  for (const auto& path : systems_of_redfish(text)) {
    // It becomes part of a URL, where it must not name another server.
    if (!path.starts_with('/') || path.find_first_of("@\r\n ") != std::string::npos) std::abort();
  }
  if (const auto address = parse_address(text)) {
    if (address->host.find_first_of("@/\r\n ") != std::string::npos) std::abort();
    for (const auto& one : net::spellings(address->host)) {
      const auto again = net::spellings(one);
      if (again.front() != one) std::abort();
    }
  }
  return 0;
}
