// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rackline::heartbeat {

// 32 bytes of secret, wiped from memory when they are no longer needed.
struct Key {
  std::array<std::uint8_t, 32> bytes{};

  Key() = default;
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key();
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

// Overwrites a secret that is not needed any more.
void wipe(std::string& secret);

// HKDF-SHA-256, RFC 5869: extract and expand, 32 bytes.
Key hkdf(std::string_view secret, std::string_view salt, std::string_view info);

// The watcher has a master key, and each host a key of its own that is derived from it: HKDF with the purpose
// and the name of the host as `info`. So the watcher keeps one file however many hosts there are; a key says
// nothing about another one, and nothing about the master key; and who has the key of h3 can speak as h3 and
// as nobody else. The master key stays on the machines that run `heartbeat watch`.
//
// A key file holds one key, or two while it is changed: the present one first, and the one before, which goes
// on being good. That of a watcher, as `heartbeat key FILE` makes it:
//
//     SECRET                         at least 32 bytes
//     previous SECRET                while it is changed
//
// That of a host, as `heartbeat key --host h3 FILE` makes it; the ID tells keys apart, and is no secret:
//
//     rackline-host-key h3 ID KEY
//     rackline-host-key h3 ID KEY    while it is changed
struct HostKey {
  std::string host;
  Key key;

  std::uint32_t id() const;  // never 0
  std::string line() const;
};

HostKey host_key(std::string_view master, std::string_view host);

// 8 hexadecimal digits.
std::string key_id_text(std::uint32_t id);

// The master keys in the text of a watcher's key file, the present one first. Throws Error(kUsage) when it is
// the file of a host, or a key is shorter than 32 bytes.
std::vector<std::string> master_keys(std::string_view text);

// The keys in the text of a host's key file, the present one first; empty when it is no such file, but a key
// that all hosts share. Throws Error(kUsage) when it is broken.
std::vector<HostKey> host_keys(std::string_view text);

}  // namespace rackline::heartbeat
