// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rackline::bmc {

// The UUID of a system, in the order of its bytes in text.
using Uuid = std::array<std::uint8_t, 16>;

// 32 hexadecimal digits, with or without dashes and braces; nothing for another form.
std::optional<Uuid> parse_uuid(std::string_view text);
std::string to_text(const Uuid& uuid);

// False for what makers leave there when they set none: all bytes alike, or one of the well-known fillers.
// Many systems have it, so it identifies none.
bool is_unique(const Uuid& uuid);

// Whether both are of one system. The same UUID comes in four orders: as in text (RFC 4122), with its first
// three numbers the other way round (SMBIOS 2.6, 7.2.1), wholly the other way round (IPMI 2.0, 20.8, least
// significant byte first), and both.
bool same_system(const Uuid& one, const Uuid& other);

}  // namespace rackline::bmc
