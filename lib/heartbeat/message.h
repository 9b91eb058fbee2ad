// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heartbeat/host_key.h"

namespace rackline::heartbeat {

// What agents and watchers say to each other: one datagram, or one slot on the shared storage. All integers
// are big-endian:
//
//      0  "RLHB"            4  version (2)          5  type                 6  flags (16 bit)
//      8  cluster tag (64)  16 incarnation (64)     24 seq (64)             32 nonce (64)
//     40  echo (64)         48 self_fence_ms (32)   52 ack_age_ms (32)      56 vms (16)
//     58  length of name    59 length of target     60 id of the key (32)   64 name, target
//     HMAC-SHA-256 of all before it
//
// It is signed with the key of the host that `name` names, whoever writes it: the host itself, or a watcher
// that speaks to it (see host_key.h). So what is meant for one host is good for no other one, and no host can
// speak for another. What two agents say to each other is signed with a key that those two have (ticket.h).
//
// Version 1 has no id of a key, and its names begin at 60: all hosts and watchers share one key then. A
// watcher still understands it, to tell which agents need a key of their own.
//
// There is no clock in it: clocks step, and two machines have two of them. What makes a message fresh is the
// nonce. A watcher draws one when it starts and tells it in every ack; a beat counts only if it brings that
// nonce and a seq above all those seen of its incarnation. So a beat that was recorded earlier, even by a
// watcher's predecessor, is nothing but the occasion of an ack. In the same way an ack counts only if it
// echoes the seq of a recent beat.
//
// A slot brings the nonces of all watchers that its agent knows of: by their acks, or by the challenge that
// each watcher keeps on the storage. They stand in `target`, 8 bytes each. While an agent has two keys, its
// slot holds two messages, one behind the other.
struct Message {
  enum class Type : std::uint8_t {
    kBeat = 1,  // agent to watcher: I live
    kAck,       // watcher to agent: I heard `echo`
    kPing,      // agent `target` to agent `name`: do you live?
    kPong,      // the answer: echo is the ping's seq
    kAsk,       // watcher to agent: do you reach the host that `target` introduces? (ticket.h)
    kTold,      // the answer about `target`: flag reached; echo is the ask's seq
    kSlot,      // a beat on the storage
    kWitness,  // what a host that an agent was asked about says to the watcher: I live; echo is the ask's seq
  };
  Type type = Type::kBeat;
  bool leaving = false;     // a planned stop: what follows is silence and not death
  bool libvirt_ok = false;  // the local libvirtd answered lately
  bool storage_ok = false;  // the last beat on the storage was written in time
  bool watchdog = false;    // a hardware watchdog resets the host when the agent hangs
  bool reached = false;     // kTold
  bool replaced = false;    // kAck: a younger agent of this name was heard, and is silent by now: begin anew
  bool fenced = false;      // kAck: the host counts as off, its VMs may run elsewhere: stop them
  std::uint64_t incarnation = 0;
  std::uint64_t seq = 0;
  std::uint64_t nonce = 0;
  std::uint64_t echo = 0;
  std::uint32_t self_fence_ms = 0;  // 0: the agent stops nothing
  std::uint32_t ack_age_ms = 0;     // since a watcher was last heard
  std::uint16_t vms = 0;            // QEMU processes that are alive; in kAck the hosts of the cluster
  // Of the host with the key of which it is signed. In version 1 of the asked one in kAsk and kTold, of which
  // `target` is the address.
  std::string name;
  std::string target;        // another host; in kAck one that the agent may ask, introduced, or nothing
  std::uint32_t key_id = 0;  // of the key that it is signed with; 0: version 1
  // Not on the wire: it is signed with a key that should not be in use any more. See Membership.
  bool doubtful = false;
  // Not on the wire: the first that its host says with its own key. What was said in its name with the shared
  // one, by whomever, is void.
  bool anew = false;
};

// Nonces in the target of a slot, in `most` bytes. No more than fit are put in.
std::string nonces_text(const std::vector<std::uint64_t>& nonces, std::size_t most);
// Whether the slot was written by one who knew this nonce.
bool answers(const Message& slot, std::uint64_t nonce);

inline constexpr std::size_t kMaxName = 100;
inline constexpr std::size_t kMaxTarget = 200;         // in version 1 kMaxName
inline constexpr std::size_t kMessageFrame = 64 + 32;  // what is not name and target
inline constexpr std::size_t kMaxMessage = kMessageFrame + kMaxName + kMaxTarget;
using MessageBytes = std::array<std::uint8_t, kMaxMessage>;

enum class Reject : std::uint8_t {
  kNone,
  kStrange,    // not of this protocol, or of another version
  kTruncated,  // or longer than it says
  kForeign,    // of another cluster
  kForged,     // its HMAC is not made with our key
};
const char* words_of(Reject reject);

// Reads what stands in a message, without any proof of who wrote it. `out` keeps its strings' memory.
Reject read_unproven(std::span<const std::uint8_t> bytes, std::uint64_t cluster_tag, Message& out);
std::uint64_t cluster_tag(std::string_view cluster);
// The length of the message that `bytes` begin with, by its own word; 0 if it is none.
std::size_t message_length(std::span<const std::uint8_t> bytes);

// Makes and checks messages of one cluster with one key. Not safe to use from several threads: each makes its
// own.
class Signer {
 public:
  // Of version 1: a key that all share, at least 32 bytes of secret. Throws Error(kUsage) for a shorter one.
  Signer(std::string_view shared, std::string_view cluster);
  Signer(const Key& key, std::string_view cluster);
  ~Signer();
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;

  bool shared() const { return shared_; }
  std::uint32_t id() const { return id_; }  // of its key; never 0

  // The length of the message in `out`. Names that are too long are cut off.
  std::size_t encode(const Message& message, MessageBytes& out);
  // What is certainly none of ours is refused before any HMAC is computed.
  Reject decode(std::span<const std::uint8_t> bytes, Message& out);
  // Whether a message that read_unproven() took is signed with this key.
  bool signed_by(std::span<const std::uint8_t> bytes, const Message& unproven);
  // A key that follows from this one: the step "expand" of HKDF, RFC 5869. No message begins as `info` does,
  // which is why one key may serve for both.
  Key expand(std::string_view info);

 private:
  struct Mac;
  void sign(std::span<const std::uint8_t> bytes, std::uint8_t* out);

  std::unique_ptr<Mac> mac_;
  std::uint64_t cluster_;
  bool shared_;
  std::uint32_t id_ = 0;
};

}  // namespace rackline::heartbeat
