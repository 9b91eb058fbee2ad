// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "heartbeat/complaints.h"
#include "heartbeat/fence_mark_keeper.h"
#include "heartbeat/key_ring.h"
#include "heartbeat/membership.h"
#include "heartbeat/message.h"
#include "net/udp.h"
#include "record/kinds_inventory.h"
#include "store/store.h"
#include "virt/worker.h"

namespace rackline::heartbeat {

struct WatcherOptions {
  std::vector<record::Host> hosts;
  net::Endpoint listen;
  std::string key, cluster;    // the text of its key file
  bool accept_shared = false;  // believe agents that have no key of their own yet
  std::string slots;           // directory on the shared storage; empty: that channel is not used
  WatchPolicy policy;
  bool once = false;  // ends after the snapshot; it leaves no mark on the storage, and changes no agent
  std::map<std::string, std::string> last_contacts{};  // of hosts with a watcher before this one, in words
};

// One per machine and port: a watcher that is started again finds its own, and two of them never share one.
std::string name_of_watcher(const net::Endpoint& listen);

// The part of heartbeat that runs beside the manager of the hosts: hears what comes over the network, reads
// the storage, asks libvirtd and other hosts' agents about the silent ones, and lets Membership judge.
class Watcher {
 public:
  struct Hooks {
    std::function<void(const Transition&)> transition;
    std::function<void(const record::WatcherSuspect&)> doubt;
    std::function<void(const record::HeartbeatSeen&)> seen;  // may be empty
    std::function<void(const std::string&)> warn;
    std::function<bool()> turn;  // every second: it is well; false: nobody reads what it writes
    std::function<void(std::vector<HostHealth>)> health;  // every second; may be empty, must not wait
  };

  // `store`, of the marks of maintenance and fencing, may be null. Throws Error(kUnreachable) where it cannot
  // listen or cannot read the marks.
  Watcher(WatcherOptions options, std::shared_ptr<store::Store> store, const Clock& clock, Hooks hooks);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Until a stop is asked for (interrupt.h), or after the snapshot. True when every host was well in the end.
  bool run();

 private:
  struct Mailbox;  // shared with the threads that may hang
  struct Peer {
    net::Endpoint address;                     // from where its last fresh beat came
    std::unique_ptr<virt::HostWorker> worker;  // while its libvirtd is of interest
    std::optional<virt::Ticket> question;
    // The question to others about it that is outstanding, and who was asked and has not answered yet.
    std::uint64_t ask = 0;
    std::vector<std::size_t> asked;
    bool slot_read = false;     // a slot without proof was read before
    std::size_t next_told = 0;  // the other host of which its next ack tells the address
  };

  Milliseconds now() const { return clock_.monotonic(); }
  void start_storage_reader();
  void start_marks_reader();
  void hear(std::span<const std::uint8_t> bytes, const net::Endpoint& from);
  void hear_stranger(const std::string& name, const net::Endpoint& from);
  void hear_told(const Message& told, const KeyRing::Voice& voice, const net::Endpoint& from);
  void hear_witness(const Message& witness, const KeyRing::Voice& voice, const net::Endpoint& from);
  void hear_slot(std::size_t host, const std::vector<std::uint8_t>& bytes, Milliseconds began);
  std::string tell_of_another(std::size_t host, const KeyRing::Voice& voice);
  void hear_beat(const Message& beat, const KeyRing::Voice& voice, const net::Endpoint& from);
  void read_mail();
  void fulfil(const Membership::Wish& wish);
  bool ask_libvirt(std::size_t host);
  void ask_kernel(std::size_t host);
  void ask_peers(std::size_t host);
  void release(Peer& peer);
  void turn(Milliseconds late);
  void complain(const std::string& what, const net::Endpoint& from) { complaints_.add(what, from); }
  void refuse(const KeyRing::Heard& heard, const net::Endpoint& from);
  void keep_fence_marks();

  WatcherOptions options_;
  std::shared_ptr<store::Store> store_;
  const Clock& clock_;
  Hooks hooks_;
  KeyRing keys_;
  net::UdpSocket socket_;
  std::uint64_t nonce_;
  Membership membership_;
  Milliseconds started_;
  std::vector<Peer> peers_;
  std::size_t workers_ = 0;  // of the peers
  std::shared_ptr<Mailbox> mailbox_;
  std::map<std::string, std::string, std::less<>> off_;  // hosts that are marked as off, and the marks' ids
  std::optional<FenceMarkKeeper> fence_marks_;           // on the storage
  Message message_;                                      // reused: its strings keep their memory
  bool begun_ = false, reading_ = true;
  Milliseconds next_second_;
  Complaints complaints_;
  std::set<std::string> strangers_;  // hosts that are not in the inventory and were named
};

}  // namespace rackline::heartbeat
