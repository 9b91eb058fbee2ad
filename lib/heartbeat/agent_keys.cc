// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/agent_keys.h"

#include <algorithm>

#include "base/error.h"
#include "heartbeat/slot.h"

namespace rackline::heartbeat {

AgentKeys::AgentKeys(std::string_view text, const std::string& host, std::string_view cluster)
    : cluster_(cluster) {
  for (const HostKey& key : host_keys(text)) {
    if (key.host != host) {  // @rule 01-key-serves-its-host
      throw Error(Status::kUsage, "use the key", "of the heartbeats",
                  "it is the key of " + key.host + ", and this host is " + host,
                  "heartbeat key --host " + host + " makes its own, beside the watcher");
    }
    signers_.emplace_back(key.key, cluster);
    secrets_.emplace_back(key.key.view());
  }
  if (!signers_.empty()) return;
  secrets_ = master_keys(text);
  for (const auto& master : secrets_) signers_.emplace_back(std::string_view(master), cluster);
}

AgentKeys::~AgentKeys() {
  for (auto& secret : secrets_) wipe(secret);
}

std::string AgentKeys::ids() const {
  std::string text;
  for (const Signer& signer : signers_) text += (text.empty() ? "" : " and ") + key_id_text(signer.id());
  return text;
}

Signer* AgentKeys::signer_of(std::span<const std::uint8_t> bytes, const Message& unproven) {
  const auto found = std::find_if(signers_.begin(), signers_.end(),
                                  [&](Signer& signer) { return signer.signed_by(bytes, unproven); });
  return found == signers_.end() ? nullptr : &*found;
}

std::vector<std::uint8_t> AgentKeys::slot(const Message& message) {
  std::vector<std::uint8_t> all;
  MessageBytes bytes;
  for (Signer& signer : signers_) {
    const std::size_t length = signer.encode(message, bytes);
    all.insert(all.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
  }
  return all;
}

std::size_t AgentKeys::slot_room(const std::string& host) const {
  const std::size_t each = kSlotMessage / signers_.size() - kMessageFrame;
  return std::min(kMaxName, each - std::min(host.size(), kMaxName));
}

}  // namespace rackline::heartbeat
