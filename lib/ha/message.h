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

namespace rackline::ha {

// What agents and watchers say to each other: one datagram, or one slot on the shared storage. All integers
// are big-endian:
//
//      0  "RLHB"            4  version (1)          5  type                 6  flags (16 bit)
//      8  cluster tag (64)  16 incarnation (64)     24 seq (64)             32 nonce (64)
//     40  echo (64)         48 self_fence_ms (32)   52 ack_age_ms (32)      56 vms (16)
//     58  length of name    59 length of target     60 name, target         HMAC-SHA-256 of all before it
//
// There is no clock in it: clocks step, and two machines have two of them. What makes a message fresh is the
// nonce. A watcher draws one when it starts and tells it in every ack; a beat counts only if it brings that
// nonce and a seq above all those seen of its incarnation. So a beat that was recorded earlier, even by a
// watcher's predecessor, is nothing but the occasion of an ack. In the same way an ack counts only if it
// echoes the seq of a recent beat.
//
// A slot brings the nonces of all watchers that its agent knows of: by their acks, or by the challenge that
// each watcher keeps on the storage. They stand in `target`, 8 bytes each.
struct Message {
  enum class Type : std::uint8_t {
    kBeat = 1,  // agent to watcher: I live
    kAck,       // watcher to agent: I heard `echo`
    kPing,      // agent to agent, on behalf of a watcher: do you live?
    kPong,      // the answer: echo is the ping's seq
    kAsk,       // watcher to agent: do you reach `target`, an "ADDRESS PORT"? Its name is in `name`
    kTold,      // the answer: flag reached; echo is the ask's seq
    kSlot,      // a beat on the storage
  };
  Type type = Type::kBeat;
  bool leaving = false;     // a planned stop: what follows is silence and not death
  bool libvirt_ok = false;  // the local libvirtd answered lately
  bool storage_ok = false;  // the last beat on the storage was written in time
  bool watchdog = false;    // a hardware watchdog resets the host when the agent hangs
  bool reached = false;     // kTold
  bool replaced = false;    // kAck: a younger agent of this name was heard, and is silent by now: begin anew
  bool fenced = false;      // kAck: the host counts as off, its virtual servers may run elsewhere: stop them
  std::uint64_t incarnation = 0;
  std::uint64_t seq = 0;
  std::uint64_t nonce = 0;
  std::uint64_t echo = 0;
  std::uint32_t self_fence_ms = 0;  // 0: the agent stops nothing
  std::uint32_t ack_age_ms = 0;     // since a watcher was last heard
  std::uint16_t vms = 0;            // QEMU processes that are alive; in kAck the hosts of the cluster
  std::string name;                 // of the host; of the asked one in kAsk and kTold
  std::string target;  // kAck: another host, "ADDRESS:PORT NAME", that the agent may ask; may be empty
};

// Nonces in the target of a slot. No more than fit are put in.
std::string nonces_text(const std::vector<std::uint64_t>& nonces);
// Whether the slot was written by one who knew this nonce.
bool answers(const Message& slot, std::uint64_t nonce);

inline constexpr std::size_t kMaxName = 100;
inline constexpr std::size_t kMaxMessage = 60 + 2 * kMaxName + 32;
using MessageBytes = std::array<std::uint8_t, kMaxMessage>;

enum class Reject : std::uint8_t {
  kNone,
  kStrange,    // not of this protocol, or of another version
  kTruncated,  // or longer than it says
  kForeign,    // of another cluster
  kForged,     // its HMAC is not made with our key
};
const char* words_of(Reject reject);

// Makes and checks messages of one cluster. Not safe to use from several threads: each makes its own.
class Signer {
 public:
  // `key` is at least 32 bytes of secret. Throws Error(kUsage) for a shorter one.
  Signer(std::string_view key, std::string_view cluster);
  ~Signer();
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) = delete;

  // The length of the message in `out`. Names longer than kMaxName are cut off.
  std::size_t encode(const Message& message, MessageBytes& out);
  // `out` keeps its strings' memory. What is certainly none of ours is refused before any HMAC is computed.
  Reject decode(std::span<const std::uint8_t> bytes, Message& out);

 private:
  struct Mac;
  void sign(std::span<const std::uint8_t> bytes, std::uint8_t* out);

  std::unique_ptr<Mac> mac_;
  std::uint64_t cluster_;
};

}  // namespace rackline::ha
