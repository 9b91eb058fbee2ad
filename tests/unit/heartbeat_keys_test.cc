// SPDX-License-Identifier: Apache-2.0
// A host's key speaks for that host: what one that is in foreign hands can do with its key, and what becomes
// of agents with an old or a wrong one.
#include <gtest/gtest.h>

#include <algorithm>

#include "heartbeat/key_file.h"
#include "heartbeat_keys_fake.h"

namespace rackline::heartbeat {
namespace {

using std::chrono::seconds;

const std::string kMaster(64, 'm'), kNext(64, 'n'), kForeign(64, 'f');
const std::string kBoth = kNext + "\nprevious " + kMaster;

struct Running : KeyedCluster {
  explicit Running(int number = 3) : KeyedCluster(number) {
    for (const auto& name : names) start_agent(name, host_key_text(kMaster, name));
    start_watcher(kMaster);
  }
  Signer key_of(const std::string& host, const std::string& master = kMaster) const {
    return {host_key(master, host).key, "c"};
  }
  void kill(const std::string& host) { lives[host].keys.reset(); }
  bool ever(HostVerdict verdict) const {
    return std::any_of(seen.begin(), seen.end(), [&](const auto& t) { return t.verdict == verdict; });
  }
};

TEST(HostKeyAttack, TheKeyOfOneHostDoesNotLetAnotherOneLive) {
  Running cluster;
  cluster.kill("h2");
  Signer liar = cluster.key_of("h1");
  KeyRing::Heard heard;
  cluster.each_step = [&] {
    if (cluster.now % seconds{1} == Milliseconds{0})
      heard = cluster.hear(KeyedCluster::bytes_of(cluster.beat_of("h2"), liar));
  };
  cluster.run(seconds{6});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
  EXPECT_EQ(cluster.of("h1"), HostVerdict::kUp);
  // And it is told who said that.
  EXPECT_EQ(heard.claimed, 1U);
  const std::string said =
      "messages in the name of h2 that are signed with the key of h1, " + key_id_text(liar.id());
  EXPECT_EQ(heard.refusal, said);
  EXPECT_NE(cluster.last_reason().find(said), std::string::npos) << cluster.last_reason();
}

TEST(HostKeyAttack, NorInTheSlotOfAnother) {
  Running cluster;
  cluster.kill("h2");
  Signer liar = cluster.key_of("h1");
  for (const char* name : {"h2", "h1"}) {
    cluster.each_step = [&] {
      if (cluster.now % seconds{1} != Milliseconds{0}) return;
      Message slot = cluster.slot_of("h2");
      slot.name = name;
      cluster.read_slot("h2", KeyedCluster::bytes_of(slot, liar));
    };
    cluster.run(seconds{6});
    EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown) << name;
  }
  EXPECT_FALSE(cluster.ever(HostVerdict::kIsolated));
}

// Rule 1. Slots that were kept away from the watcher while their host lived bring its nonce and numbers that
// it has not seen.
TEST(HostKeyAttack, SlotsThatWereKeptBackDoNotLetADeadHostLive) {
  Running cluster;
  std::vector<std::vector<std::uint8_t>> kept;
  cluster.lives["h2"].slots = false;
  cluster.each_step = [&] {
    auto& life = cluster.lives["h2"];
    if (cluster.now % seconds{1} == Milliseconds{0} && life.keys)
      kept.push_back(life.keys->slot(cluster.slot_of("h2")));
  };
  cluster.run(seconds{60});
  cluster.kill("h2");
  std::size_t next = 0;
  cluster.each_step = [&] {
    if (cluster.now % seconds{1} == Milliseconds{0} && next < kept.size())
      cluster.read_slot("h2", kept[next++]);
  };
  cluster.run(seconds{20});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
}

TEST(HostKeyAttack, WhatAWatcherSaysToOneHostIsGoodForNoOther) {
  Running cluster;
  AgentKeys h1(host_key_text(kMaster, "h1"), "h1", "c");
  AgentKeys h2(host_key_text(kMaster, "h2"), "h2", "c");
  Message ack;
  ack.type = Message::Type::kAck;
  ack.fenced = true;
  for (const char* name : {"h1", "h2"}) {
    ack.name = name;
    MessageBytes bytes;
    const std::size_t length = cluster.ring->encode(ack, {0, 0, false}, bytes);
    Message out;
    ASSERT_EQ(read_unproven({bytes.data(), length}, cluster_tag("c"), out), Reject::kNone);
    EXPECT_NE(h1.signer_of({bytes.data(), length}, out), nullptr);
    EXPECT_EQ(h2.signer_of({bytes.data(), length}, out), nullptr) << "whatever name stands in it";
  }
}

TEST(OldKey, OfAnAgentIsTold) {
  Running cluster;
  cluster.start_agent("h2", kMaster);
  cluster.start_watcher(kMaster);
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect);
  const auto& record = std::find_if(cluster.seen.rbegin(), cluster.seen.rend(), [](const auto& t) {
                         return t.record.host == "h2";
                       })->record;
  const std::string id = key_id_text(Signer(kMaster, "c").id());
  EXPECT_EQ(record.reason,
            "its agent beats with the shared key, " + id + ": give it its own (heartbeat key --host h2)");
  EXPECT_EQ(record.key_id, id);
  EXPECT_EQ(cluster.ring->lagging([](std::size_t) { return true; }),
            "with the shared key beat: h2; give each its own: heartbeat key --host HOST");
}

// Rule 1: what is signed with it is a doubt, and no more than that.
TEST(OldKey, IsNoLifeAndNoDeath) {
  Running cluster;
  cluster.start_agent("h2", kMaster);
  cluster.start_watcher(kMaster);
  auto& life = cluster.lives["h2"];
  for (int channel = 0; channel < 3; ++channel) {
    life.net = channel != 1;
    life.slots = channel != 2;
    cluster.run(seconds{20});
    EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect) << channel;
  }
  life.net = life.slots = life.leaving = true;
  cluster.run(seconds{20});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect) << "it may say that it leaves";
  life.leaving = life.libvirt_ok = false;
  cluster.run(seconds{20});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect) << "or that it has no hypervisor";
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
  life.libvirt_ok = true;
  cluster.kill("h2");
  cluster.run(seconds{20});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown) << "silence is silence";
}

TEST(OldKey, PromisesNothingThatFenceMayCountUpon) {
  Running cluster;
  cluster.kill("h2");
  cluster.start_watcher(kMaster);
  Signer shared(kMaster, "c");
  Message beat = cluster.beat_of("h2");
  beat.self_fence_ms = 30'000;
  cluster.hear(KeyedCluster::bytes_of(beat, shared));
  cluster.run(seconds{30});
  for (const auto& t : cluster.seen) EXPECT_EQ(t.record.self_fence_ms, std::nullopt);
}

TEST(OldKey, IsBelievedWhereThatIsWanted) {
  Running cluster;
  cluster.start_agent("h2", kMaster);
  cluster.start_watcher(kMaster, true);
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kUp);
}

TEST(OldKey, DoesNotSpeakForAHostThatHasItsOwn) {
  for (const bool accept : {false, true}) {
    Running cluster;
    cluster.start_watcher(kMaster, accept);
    cluster.kill("h2");
    Signer shared(kMaster, "c");
    cluster.each_step = [&] {
      if (cluster.now % seconds{1} == Milliseconds{0})
        cluster.hear(KeyedCluster::bytes_of(cluster.beat_of("h2"), shared));
    };
    cluster.run(seconds{6});
    EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
    EXPECT_NE(cluster.last_reason().find("signed with the shared key"), std::string::npos)
        << "nobody is dead without a word about it: " << cluster.last_reason();
  }
}

// Whoever has it cannot use up the numbers of a host that is about to speak with its own.
TEST(OldKey, MakesNoHostSilentThatHasItsOwn) {
  for (const bool accept : {false, true}) {
    for (const bool by_slot : {false, true}) {
      Running cluster;
      cluster.kill("h2");
      cluster.start_watcher(kMaster, accept);
      Signer shared(kMaster, "c");
      const std::uint64_t next = cluster.incarnations + 1;
      for (const std::uint64_t incarnation : {next, std::uint64_t{99}}) {
        Message lie = by_slot ? cluster.slot_of("h2") : cluster.beat_of("h2");
        lie.incarnation = incarnation;
        lie.seq = UINT64_MAX;
        const auto bytes = KeyedCluster::bytes_of(lie, shared);
        if (by_slot)
          cluster.read_slot("h2", bytes);
        else
          cluster.hear(bytes);
      }
      cluster.start_agent("h2", host_key_text(kMaster, "h2"));
      cluster.lives["h2"].net = !by_slot;
      cluster.lives["h2"].slots = by_slot;
      cluster.run(seconds{30});
      EXPECT_EQ(cluster.of("h2"), by_slot ? HostVerdict::kIsolated : HostVerdict::kUp) << accept;
    }
  }
}

TEST(WrongKey, IsToldWithItsHostAndId) {
  Running cluster;
  const std::string foreign = host_key_text(kForeign, "h2");
  cluster.start_agent("h2", foreign);
  Signer signer = cluster.key_of("h2", kForeign);
  const auto heard = cluster.hear(KeyedCluster::bytes_of(cluster.beat_of("h2"), signer));
  EXPECT_EQ(heard.claimed, 1U);
  EXPECT_NE(heard.refusal.find("heartbeat key --host h2"), std::string::npos) << heard.refusal;
  EXPECT_EQ(heard.detail, "with " + key_id_text(signer.id()));
  cluster.run(seconds{6});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
  EXPECT_NE(cluster.last_reason().find("in the name of h2"), std::string::npos) << cluster.last_reason();
}

TEST(WrongKey, OfAHostThatIsNotInTheInventoryIsTold) {
  Running cluster;
  Message beat = cluster.beat_of("h1");
  beat.name = "h9";
  Signer ours = cluster.key_of("h9");
  auto heard = cluster.hear(KeyedCluster::bytes_of(beat, ours));
  EXPECT_TRUE(heard.refusal.empty());
  EXPECT_FALSE(heard.voice);
  Signer theirs = cluster.key_of("h9", kForeign);
  heard = cluster.hear(KeyedCluster::bytes_of(beat, theirs));
  EXPECT_NE(heard.refusal, "");
  EXPECT_EQ(heard.refusal.find("h9"), std::string::npos) << "a stranger chooses the name";
}

// The three states of a key file, of the watcher and of each host. All have taken the one step before the
// first takes the next; among themselves in any order.
TEST(KeyChange, MakesNoHostSilentInWhateverOrderAllAreStartedAgain) {
  const std::vector<std::string> steps{kMaster, kBoth, kNext};
  std::vector<int> order{0, 1, 2, 3};  // the watcher, h1, h2, h3
  int orders = 0;
  do {
    Running cluster;
    for (std::size_t step = 1; step < steps.size(); ++step) {
      for (const int who : order) {
        const std::string host = "h" + std::to_string(who);
        if (who == 0)
          cluster.start_watcher(steps[step]);
        else
          cluster.start_agent(host, host_key_text(steps[step], host));
        cluster.run(seconds{12});
        for (const auto& name : cluster.names) ASSERT_EQ(cluster.of(name), HostVerdict::kUp) << name;
      }
    }
    for (const auto& t : cluster.seen) ASSERT_EQ(t.verdict, HostVerdict::kUp) << t.record.reason.value_or("");
    EXPECT_EQ(cluster.ring->lagging([](std::size_t) { return true; }), "");
    ++orders;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orders, 24);
}

TEST(KeyChange, TellsWhoHasThePreviousKeyOnly) {
  Running cluster;
  cluster.start_agent("h1", host_key_text(kBoth, "h1"));
  cluster.start_watcher(kBoth);
  EXPECT_EQ(cluster.ring->lagging([](std::size_t) { return true; }),
            "with the previous key beat: h2, h3; the present one: heartbeat key --host HOST");
  EXPECT_EQ(cluster.ring->lagging([](std::size_t host) { return host == 0; }), "");
}

// For what is signed elsewhere: the mark of a fencing must reach the agent that is there.
TEST(KeyChange, WhatIsSignedForAHostIsSignedWithAKeyThatItHas) {
  Running cluster;
  cluster.start_agent("h1", host_key_text(kBoth, "h1"));
  cluster.start_agent("h3", kMaster);
  cluster.start_watcher(kBoth);
  const auto secrets_of = cluster.ring->secrets();
  const auto secret_of = [&](const std::string& host) { return secrets_of(host).front(); };
  EXPECT_EQ(secret_of("h1"), host_key(kNext, "h1").key.view());
  EXPECT_EQ(secret_of("h2"), host_key(kMaster, "h2").key.view());
  EXPECT_EQ(secret_of("h3"), kMaster);
  for (const char* host : {"h1", "h2", "h3"}) {
    const auto& has = cluster.lives[host].keys->secrets();
    EXPECT_NE(std::find(has.begin(), has.end(), secret_of(host)), has.end()) << host;
  }
}

}  // namespace
}  // namespace rackline::heartbeat
