// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "heartbeat/message.h"

namespace rackline::heartbeat {

// The keys of a watcher: of each host the one that follows from the master key, and while that is changed the
// one that follows from the key before. It says who speaks, and speaks to each host with the key that the
// host used.
//
// A message of version 1 is signed with a key that all hosts shared. Whoever has it can speak for every host,
// so it is worth what the watcher's rule says:
//   - Of a host that has spoken with its own key since the watcher began, it is refused: that host needs no
//     shared key, and one that still has it must not be able to let this one live.
//   - Else the message is `doubtful`, unless the watcher was told to accept the shared key. Membership lets
//   it
//     be a reason to declare nobody dead, and no reason for anything else: to take such a host for dead would
//     be to fence what may well live, and to call it up would be to believe everybody.
// Any other key proves nothing. It changes no verdict, since every stranger could send that; the complaint
// and the reason of the verdict say that it is there.
class KeyRing {
 public:
  struct Voice {
    std::size_t host = 0;  // by its number; none of that in version 1
    std::size_t generation = 0;
    bool shared = false;
  };
  struct Heard {
    Reject reject = Reject::kNone;
    std::optional<Voice> voice;          // none: refused, or of a host that is not in the inventory
    std::string refusal;                 // for a person; empty: not refused
    std::string detail;                  // of it, which whoever wrote the message can choose at will
    std::optional<std::size_t> claimed;  // the host in the name of which something was refused
  };

  // `text`: of the watcher's key file. Throws Error(kUsage) for one that is none.
  KeyRing(std::string_view text, std::string_view cluster, const std::vector<std::string>& hosts,
          bool accept_shared);
  KeyRing(const KeyRing&) = delete;
  KeyRing& operator=(const KeyRing&) = delete;

  Heard decode(std::span<const std::uint8_t> bytes, Message& out);
  // The first of the messages of a slot that is not refused.
  Heard decode_slot(std::span<const std::uint8_t> bytes, Message& out);

  // To the host that spoke so.
  std::size_t encode(const Message& message, const Voice& voice, MessageBytes& out);

  // A fresh message came with this voice.
  void spoke(std::size_t host, const Voice& voice, std::uint64_t incarnation);
  // The best one that the present run of the host's agent has spoken with.
  const std::optional<Voice>& voice_of(std::size_t host) const { return hosts_[host].voice; }
  std::uint32_t id_of(const Voice& voice) const;

  // For whoever else signs what is meant for one host, on whatever thread: the secrets that its agent may
  // have, and first the one that it was last known to have.
  std::function<std::vector<std::string>(const std::string& host)> secrets() const;

  // The text that introduces `asked` to the host that spoke so; empty when the two cannot speak to each
  // other.
  std::string introduce(const Voice& asker, std::size_t asked, const std::string& address);

  // What is to be done about keys, of hosts for which `lives` holds: for a person, and empty when all is
  // well.
  template <class Lives>
  std::string lagging(Lives lives) const {
    std::vector<std::string_view> shared, previous;
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      const auto& voice = hosts_[i].voice;
      if (!voice || (!voice->shared && voice->generation == 0) || !lives(i)) continue;
      (voice->shared ? shared : previous).push_back(hosts_[i].name);
    }
    return lagging_text(shared, previous);
  }

 private:
  struct Host {
    std::string name;
    std::vector<Signer> own;  // by generation
    std::optional<Voice> voice;
    std::uint64_t incarnation = 0;
    bool spoke_itself = false;  // with its own key, ever
  };

  std::optional<std::size_t> find(std::string_view name) const;
  Heard decode_shared(std::span<const std::uint8_t> bytes, Message& out);
  void name_key(Heard& heard, std::span<const std::uint8_t> bytes, const Message& unproven);
  static std::string lagging_text(const std::vector<std::string_view>& shared,
                                  const std::vector<std::string_view>& previous);

  std::uint64_t cluster_tag_;
  std::string cluster_;
  bool accept_shared_;
  std::vector<Signer> shared_;
  std::vector<Host> hosts_;
  std::unordered_map<std::string, std::size_t> index_;
  struct Known;  // shared with other threads
  std::shared_ptr<Known> known_;
  std::unordered_multimap<std::uint32_t, Voice> by_id_;  // two keys may have one id
};

}  // namespace rackline::heartbeat
