// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "heartbeat/agent_keys.h"
#include "heartbeat/complaints.h"
#include "heartbeat/contact.h"
#include "heartbeat/message.h"
#include "heartbeat/nonce.h"
#include "heartbeat/peers.h"
#include "heartbeat/self_fence.h"
#include "net/udp.h"
#include "record/kinds_heartbeat.h"

namespace rackline::heartbeat {

class OwnFenceMark;

struct AgentOptions {
  std::string host;  // empty: the machine's host name
  std::vector<net::Endpoint> watchers;
  std::optional<net::Endpoint> listen;  // none: any address and port
  std::string key, cluster;             // the text of its key file
  Milliseconds interval{1000};
  std::string slots;              // directory on the shared storage; empty: no heartbeat there
  Milliseconds slot_interval{0};  // between two beats there; 0: as over the network
  Milliseconds storage_deadline{3000};
  std::string uri = "qemu:///system";
  Milliseconds libvirt_deadline{5000};
  Milliseconds self_fence{30'000};  // 0: never
  // The host's fence method is `self`: others take its servers over when it must have stopped them, and for
  // no other reason. Only then does it promise to stop them, and its peers do not count as contact.
  bool fenced_by_self = false;
  std::string run_directory;  // where the last contact outlives the agent, but not the boot; empty: nowhere
  std::string qemu_run_directory = "/run/libvirt/qemu";
  std::string watchdog;  // device; empty: none
};

// What is wrong with the time after which the agent stops its servers; empty when nothing is.
std::string self_fence_time_objection(const AgentOptions& options);

// The part of heartbeat that runs on a host: tells its watchers, over the network and on the shared storage,
// that it lives; looks at other hosts where a watcher asks; and stops its own VMs when it has
// been cut off from both for so long that others must take it for dead.
class Agent {
 public:
  struct Hooks {
    std::function<void(const record::HostSelfFenced&)> self_fenced;
    std::function<void(const std::string&)> warn;
    std::function<void()> turn;  // of its loop, at every interval: it is well
  };

  Agent(AgentOptions options, const Clock& clock, Hooks hooks);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Until a stop is asked for (interrupt.h); then it takes leave, so that its silence is not taken for death.
  void run();

 private:
  struct Vitals;  // shared with the threads that may hang
  struct Link {
    net::Endpoint watcher;
    std::uint64_t nonce = 0;
    std::optional<Milliseconds> acked;
  };

  // On threads of their own, until vitals.leaving; they own what they are given.
  static void ask_libvirt(Vitals& vitals, const AgentOptions& options, const Clock& clock);
  static void keep_slot(Vitals& vitals, const AgentOptions& options, AgentKeys& keys, const Clock& clock);
  static void look_at_mark(Vitals& vitals, const AgentOptions& options, OwnFenceMark& mark,
                           const Message& beat);
  Milliseconds now() const { return clock_.monotonic(); }
  void beat(bool leaving);
  void beat_to(Link& link, Signer& signer, bool leaving);
  void hear(std::span<const std::uint8_t> bytes, const net::Endpoint& from);
  void hear_ack(const Message& ack, Signer& by, const net::Endpoint& from);
  void ask_neighbours();
  void tell_nonces();
  void resume();
  void guard();
  void tell_trouble();
  void stop_everything(const std::string& reason);
  Milliseconds cut_off() const;
  Milliseconds last_contact() const;
  std::uint64_t next_beat();

  AgentOptions options_;
  const Clock& clock_;
  Hooks hooks_;
  AgentKeys keys_;
  net::UdpSocket socket_;
  std::vector<Link> links_;
  Peers peers_;
  Complaints complaints_;
  std::shared_ptr<Vitals> vitals_;
  std::optional<HardwareWatchdog> watchdog_;
  static constexpr std::uint64_t kRecent = 16;  // an ack of an older beat proves nothing about now
  std::uint64_t incarnation_, seq_ = 0;
  std::array<Milliseconds, kRecent + 1> sent_{};  // when each of the last beats was, by its number
  Milliseconds started_;
  std::optional<Milliseconds> resumed_;  // as if it had been started then
  // The loop itself stood still until then: what was not heard meanwhile may be waiting in the socket.
  Milliseconds woken_;
  std::optional<ContactFile> contact_;
  bool fenced_ = false;       // told so by a watcher
  bool self_fenced_ = false;  // and done
  std::string told_storage_;  // the trouble that was told last
  std::string told_mark_;     // the same of a mark on the storage that does not count
  bool told_silence_ = false;
};

}  // namespace rackline::heartbeat
