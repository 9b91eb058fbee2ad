// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "heartbeat/message.h"

namespace rackline::heartbeat {

// The keys that an agent speaks with: the one of its host, and while it is changed the one before. It says
// everything with each of them, since a watcher may know only the one or only the other, and it cannot ask
// which: so no order in which agents and watchers are started anew makes a host silent.
class AgentKeys {
 public:
  // `text`: of the key file of `host`, or a key that all share. Throws Error(kUsage) when it is a broken one,
  // or speaks for another host.
  AgentKeys(std::string_view text, const std::string& host, std::string_view cluster);
  ~AgentKeys();
  AgentKeys(AgentKeys&&) = default;
  AgentKeys& operator=(AgentKeys&&) = default;

  // The key is one that all hosts share: who has it can speak for every host.
  bool shared() const { return signers_.front().shared(); }
  std::vector<Signer>& signers() { return signers_; }  // the present one first
  std::string cluster() const { return cluster_; }
  // Of them, for what a watcher signs otherwise than as a Message.
  const std::vector<std::string>& secrets() const { return secrets_; }
  std::string ids() const;  // for a person

  // The one that has signed a message that read_unproven() took; null: none has.
  Signer* signer_of(std::span<const std::uint8_t> bytes, const Message& unproven);
  // The message of a slot, signed with each key, one behind the other.
  std::vector<std::uint8_t> slot(const Message& message);
  // How many bytes of nonces it has room for.
  std::size_t slot_room(const std::string& host) const;

 private:
  std::string cluster_;
  std::vector<Signer> signers_;
  std::vector<std::string> secrets_;
};

}  // namespace rackline::heartbeat
