// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/time.h"
#include "heartbeat/agent_keys.h"
#include "heartbeat/message.h"
#include "heartbeat/ticket.h"
#include "net/udp.h"

namespace rackline::heartbeat {

// What an agent has to do with the agents of other hosts: it answers them, asks them whether they are there
// when nobody else is, and looks at one for a watcher. Knows no clock and no socket of its own.
class Peers {
 public:
  struct Hooks {
    std::function<void(const net::Endpoint&, std::span<const std::uint8_t>)> send;
    std::function<void(const std::string&)> warn;
  };

  // `patience`: with a host that a watcher asks about.
  Peers(std::string host, AgentKeys& keys, Milliseconds patience, Hooks hooks);

  // From the ack of a watcher, which `by` has signed: how many hosts there are, and another one of them.
  void learn(const Message& ack, Signer& by);
  // A watcher, heard at `asker`, asks whether this host reaches another one.
  void begin(const Message& ask, Signer& by, const net::Endpoint& asker, Milliseconds now);
  bool busy() const { return !errands_.empty(); }
  void run(Milliseconds now);

  bool known() const { return !neighbours_.empty(); }
  // Asks some of the other hosts whether they are there, in turn.
  void ask_some(Milliseconds now);
  // Since when it has heard more than half of the hosts, itself included; nullopt if it has not. Those that
  // lie can make themselves heard, and nobody else: see ticket.h.
  std::optional<Milliseconds> majority_heard() const;

  // What other agents say. False: it is refused, since no key of the two has signed it.
  bool hear(std::span<const std::uint8_t> bytes, const Message& unproven, const net::Endpoint& from);

 private:
  // Another host of the cluster, as a watcher told of it.
  struct Neighbour {
    net::Endpoint at;
    std::optional<Key> ticket;          // none: all share one key
    std::uint64_t ping = 0;             // the question that is outstanding
    Milliseconds asked{0};              // when
    std::optional<Milliseconds> heard;  // when the last question was asked that it answered
  };
  struct Errand {  // a look at another host, for a watcher
    net::Endpoint asker, target;
    std::string name;
    std::optional<Key> ticket;
    std::size_t signer = 0;  // the one to answer with
    std::uint64_t ask = 0, ping = 0, nonce = 0;
    Milliseconds next{0}, until{0};
    int passed_on = 0;
  };

  bool hear_ping(std::span<const std::uint8_t> bytes, const Message& unproven, const net::Endpoint& from);
  bool hear_pong(std::span<const std::uint8_t> bytes, const Message& unproven, const net::Endpoint& from);
  bool pass_on(std::span<const std::uint8_t> bytes, const Message& unproven, const net::Endpoint& from);
  void ping(const net::Endpoint& to, const std::string& name, const std::optional<Key>& ticket,
            Message message);
  void answer(const Errand& errand, bool reached);
  void send(const net::Endpoint& to, const Message& message, Signer& signer);

  std::string host_;
  AgentKeys& keys_;
  Milliseconds patience_;
  Hooks hooks_;
  std::map<std::string, Neighbour> neighbours_;
  std::string next_neighbour_;    // to be asked
  std::size_t cluster_size_ = 0;  // as a watcher told; 0: not yet
  std::deque<Errand> errands_;
};

}  // namespace rackline::heartbeat
