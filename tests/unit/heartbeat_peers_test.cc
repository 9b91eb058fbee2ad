// SPDX-License-Identifier: Apache-2.0
// What agents say to each other, over a network that is a table: who has which key, and whom that lets speak.
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "heartbeat/key_file.h"
#include "heartbeat/key_ring.h"
#include "heartbeat/peers.h"

namespace rackline::heartbeat {
namespace {

const std::string kMaster(64, 'm');
constexpr Milliseconds kNow{1000};

// Three agents, that the watcher has introduced to each other.
class Agents : public testing::Test {
 protected:
  struct One {
    std::string name;
    net::Endpoint at;
    AgentKeys keys;
    std::unique_ptr<Peers> peers;
  };
  struct Datagram {
    net::Endpoint from, to;
    std::vector<std::uint8_t> bytes;
  };

  Agents() : ring_(kMaster, "c", {"h1", "h2", "h3"}, false), watcher_(net::resolve("127.0.0.1:100", 0)) {
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string name = "h" + std::to_string(i + 1);
      ring_.spoke(i, {i, 0, false}, 1);
      agents_.push_back(
          std::make_unique<One>(One{name, net::resolve("127.0.0.1:" + std::to_string(i + 1), 0),
                                    AgentKeys(host_key_text(kMaster, name), name, "c"), nullptr}));
      One& one = *agents_.back();
      one.peers = std::make_unique<Peers>(
          name, one.keys, Milliseconds{800},
          Peers::Hooks{.send =
                           [this, &one](const auto& to, auto bytes) {
                             wire_.push_back({one.at, to, {bytes.begin(), bytes.end()}});
                           },
                       .warn = [](const std::string& text) { FAIL() << text; }});
    }
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t other = 0; other < 3; ++other) {
        if (other != i) introduce(i, other);
      }
    }
  }

  Signer& key(std::size_t i) { return agents_[i]->keys.signers().front(); }
  void introduce(std::size_t i, std::size_t other) {
    Message ack;
    ack.vms = 3;
    ack.target = ring_.introduce({i, 0, false}, other, agents_[other]->at.text());
    ASSERT_FALSE(ack.target.empty());
    agents_[i]->peers->learn(ack, key(i));
  }
  static Message read(const Datagram& datagram) {
    Message message;
    EXPECT_EQ(read_unproven(datagram.bytes, cluster_tag("c"), message), Reject::kNone);
    return message;
  }
  // Whether the agent at this address takes it.
  bool deliver(const Datagram& datagram) {
    for (auto& one : agents_) {
      if (one->at == datagram.to) return one->peers->hear(datagram.bytes, read(datagram), datagram.from);
    }
    return false;
  }
  void deliver_all() {
    while (!wire_.empty()) {
      const Datagram next = wire_.front();
      wire_.erase(wire_.begin());
      if (next.to == watcher_)
        told_.push_back(next);
      else if (!silent_ || !(agents_[*silent_]->at == next.to))
        deliver(next);
    }
  }
  void ask(std::size_t helper, std::size_t about, std::uint64_t number) {
    Message ask;
    ask.type = Message::Type::kAsk;
    ask.name = agents_[helper]->name;
    ask.target = ring_.introduce({helper, 0, false}, about, agents_[about]->at.text());
    ask.seq = number;
    ask.nonce = 7;
    agents_[helper]->peers->begin(ask, key(helper), watcher_, kNow);
    agents_[helper]->peers->run(kNow);
  }

  KeyRing ring_;
  net::Endpoint watcher_;
  std::vector<std::unique_ptr<One>> agents_;
  std::vector<Datagram> wire_, told_;
  std::optional<std::size_t> silent_;
};

TEST_F(Agents, HearEachOther) {
  EXPECT_EQ(agents_[0]->peers->majority_heard(), std::nullopt);
  agents_[0]->peers->ask_some(kNow);
  EXPECT_EQ(wire_.size(), 2U);
  deliver_all();
  EXPECT_EQ(agents_[0]->peers->majority_heard(), kNow);
}

// Rule 23: one that lies makes itself heard, and nobody else.
TEST_F(Agents, AnswerForThemselvesOnly) {
  agents_[0]->peers->ask_some(kNow);
  for (const Datagram& question : wire_) {
    if (!(question.to == agents_[1]->at)) continue;
    // h3 answers for h2, from its address, with whatever it has: its own key, its ticket for h2, and its
    // ticket for h1.
    Message pong = read(question);
    pong.type = Message::Type::kPong;
    pong.echo = pong.seq;
    Signer to_h2(pair_key(key(1), "h3"), "c");
    Signer to_h1(pair_key(key(0), "h3"), "c");
    Signer of_h1(pair_key(key(2), "h1"), "c");
    for (Signer* signer : {&key(2), &to_h2, &to_h1, &of_h1}) {
      MessageBytes bytes;
      const std::size_t length = signer->encode(pong, bytes);
      EXPECT_FALSE(
          deliver({question.to, question.from, {bytes.begin(), bytes.begin() + static_cast<long>(length)}}));
    }
  }
  EXPECT_EQ(agents_[0]->peers->majority_heard(), std::nullopt);
}

TEST_F(Agents, DoNotAnswerWhoHasNoTicket) {
  Message ping;
  ping.type = Message::Type::kPing;
  ping.name = "h1";
  ping.target = "h2";  // so h3 says
  ping.seq = 5;
  Signer ticket(pair_key(key(0), "h3"), "c");
  for (Signer* signer : {&key(2), &ticket}) {
    MessageBytes bytes;
    const std::size_t length = signer->encode(ping, bytes);
    EXPECT_FALSE(deliver(
        {agents_[2]->at, agents_[0]->at, {bytes.begin(), bytes.begin() + static_cast<long>(length)}}));
  }
  EXPECT_TRUE(wire_.empty());
}

// Whoever hears the watcher has no key of a pair from that, not even one whose own key is known to him.
TEST_F(Agents, GetTheirTicketsHidden) {
  const std::string text = ring_.introduce({0, 0, false}, 1, "127.0.0.1:2");
  const Key pair = pair_key(key(1), "h1");
  EXPECT_EQ(text.find(std::string(pair.view())), std::string::npos);
  const auto mine = introduction(text, key(0));
  const auto theirs = introduction(text, key(2));
  ASSERT_TRUE(mine && theirs);
  EXPECT_EQ(mine->ticket->bytes, pair.bytes);
  EXPECT_NE(theirs->ticket->bytes, pair.bytes);
}

// The watcher takes a host's own word that it lives, and it comes through a host that it reaches.
TEST_F(Agents, PassOnTheWordOfTheHostItself) {
  ask(0, 1, 42);
  deliver_all();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_TRUE(told_[0].from == agents_[0]->at);
  Message witness;
  const auto heard = ring_.decode(told_[0].bytes, witness);
  ASSERT_TRUE(heard.voice);
  EXPECT_EQ(heard.voice->host, 1U) << "h2 has signed it, and not h1";
  EXPECT_EQ(witness.type, Message::Type::kWitness);
  EXPECT_EQ(witness.echo, 42U);
  EXPECT_EQ(witness.nonce, 7U);
  agents_[0]->peers->run(kNow + Milliseconds{900});
  EXPECT_FALSE(agents_[0]->peers->busy());
  EXPECT_TRUE(wire_.empty()) << "and that is all";
}

TEST_F(Agents, SayThatTheyReachNobodyWhenNobodyAnswers) {
  silent_ = 1;
  ask(0, 1, 42);
  for (Milliseconds later{0}; later <= Milliseconds{900}; later += Milliseconds{100}) {
    deliver_all();
    agents_[0]->peers->run(kNow + later);
  }
  deliver_all();
  ASSERT_EQ(told_.size(), 1U);
  Message told;
  EXPECT_EQ(ring_.decode(told_[0].bytes, told).voice->host, 0U);
  EXPECT_EQ(told.type, Message::Type::kTold);
  EXPECT_EQ(told.target, "h2");
  EXPECT_FALSE(told.reached);
}

}  // namespace
}  // namespace rackline::heartbeat
