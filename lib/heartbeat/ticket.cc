// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/ticket.h"

#include <cstring>

namespace rackline::heartbeat {
namespace {

constexpr std::string_view kPairPurpose = "rackline heartbeat pair";
constexpr std::string_view kPadPurpose = "rackline heartbeat pad";
constexpr std::size_t kIdBytes = 4;
constexpr std::size_t kTicketBytes = kIdBytes + sizeof Key::bytes;

// Hides and shows.
void pad(Key& key, Signer& of_asker, std::string_view asked, std::string_view id) {
  const Key stream =
      of_asker.expand(std::string(kPadPurpose) + '\0' + std::string(asked) + '\0' + std::string(id));
  // @rule 23-ticket-in-the-open
  for (std::size_t i = 0; i < key.bytes.size(); ++i) key.bytes[i] ^= stream.bytes[i];
}

}  // namespace

Key pair_key(Signer& of_asked, std::string_view asker) {
  return of_asked.expand(std::string(kPairPurpose) + '\0' + std::string(asker));
}

std::string introduce(const std::string& address, const std::string& name) {
  std::string text = address + " " + name;
  return text.size() <= kMaxName ? text : std::string();
}

std::string introduce(const std::string& address, const std::string& name, Signer& of_asker,
                      std::string_view asker, Signer& of_asked) {
  std::string id;
  for (std::size_t i = kIdBytes; i-- > 0;) id += static_cast<char>(of_asked.id() >> (8 * i));
  Key ticket = pair_key(of_asked, asker);
  pad(ticket, of_asker, name, id);
  std::string text = address + " " + name + '\0' + id + std::string(ticket.view());
  return text.size() <= kMaxTarget ? text : std::string();
}

std::optional<Introduction> introduction(std::string_view text, Signer& of_asker) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  Introduction other;
  other.address = text.substr(0, space);
  const auto end = text.find('\0', space);
  other.name = text.substr(space + 1, end == std::string_view::npos ? end : end - space - 1);
  if (other.name.empty()) return std::nullopt;
  if (end == std::string_view::npos) return other;
  const auto sealed = text.substr(end + 1);
  if (sealed.size() != kTicketBytes) return std::nullopt;
  other.ticket.emplace();
  std::memcpy(other.ticket->bytes.data(), sealed.data() + kIdBytes, sizeof Key::bytes);
  pad(*other.ticket, of_asker, other.name, sealed.substr(0, kIdBytes));
  return other;
}

}  // namespace rackline::heartbeat
