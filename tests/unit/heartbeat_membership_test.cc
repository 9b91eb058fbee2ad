// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>

#include "heartbeat/membership.h"

namespace rackline::heartbeat {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kNonce = 77;

// Hosts with agents, in simulated time: a step is 100 ms, and a host that lives beats once a second in each
// channel.
struct Cluster {
  explicit Cluster(int number, Milliseconds answer = seconds{1}, bool storage = true) {
    policy.storage = storage;
    policy.answer = answer;
    for (int i = 1; i <= number; ++i) names.push_back("h" + std::to_string(i));
    membership.emplace(policy, names, kNonce, now);
    for (const auto& name : names) living[name] = {};
    run(seconds{2});
    for (auto& t : membership->snapshot(now)) seen.push_back(std::move(t));
    snapshot = std::move(seen);
    seen.clear();
  }

  struct Life {
    bool net = true, store = true, libvirt = true, refuses = false, peers = true, agent_libvirt = true,
         agent_storage = true, leaving = false;
    std::uint64_t incarnation = 1, seq = 0;
  };

  void beat(std::size_t i) {
    Life& life = living[names[i]];
    Message message;
    message.name = names[i];
    message.incarnation = life.incarnation;
    message.seq = ++life.seq;
    message.nonce = kNonce;
    message.libvirt_ok = life.agent_libvirt;
    message.storage_ok = life.agent_storage;
    message.leaving = life.leaving;
    last = message;
    if (life.net) membership->beat(i, message, now);
    if (life.store) membership->slot(i, message, now);
  }

  void step() {
    now += Milliseconds{100};
    membership->storage_works(storage_works, now);
    if (now % seconds{1} == Milliseconds{0}) {
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (!agentless) beat(i);
      }
    }
    auto round = membership->tick(now);
    for (const auto& wish : round.wishes) {
      const Life& life = living[names[wish.host]];
      if (wish.libvirt && life.refuses) membership->libvirt(wish.host, LibvirtAnswer::kRefused, now);
      if (wish.libvirt && life.libvirt) membership->libvirt(wish.host, LibvirtAnswer::kAnswers, now);
      if (wish.peers) membership->told(wish.host, life.peers, now);
    }
    if (round.doubt) ++doubts, doubt = round.doubt->reason;
    for (auto& t : round.transitions) seen.push_back(std::move(t));
  }
  void run(Milliseconds time) {
    for (const auto until = now + time; now < until;) step();
  }
  void kill(const std::string& host) { living[host] = {false, false, false, false, false}; }
  HostVerdict of(const std::string& host) const { return membership->verdict(*membership->find(host)); }
  bool ever(HostVerdict verdict) const {
    return std::any_of(seen.begin(), seen.end(), [&](const auto& t) { return t.verdict == verdict; });
  }

  WatchPolicy policy;
  std::vector<std::string> names;
  Milliseconds now{0};
  std::optional<Membership> membership;
  std::map<std::string, Life> living;
  std::vector<Transition> snapshot, seen;
  Message last;
  bool storage_works = true, agentless = false;
  int doubts = 0;
  std::string doubt;
};

TEST(Membership, BeginsWithASnapshotAndIsSilentWhileAllIsWell) {
  Cluster cluster(3);
  ASSERT_EQ(cluster.snapshot.size(), 3U);
  for (const auto& t : cluster.snapshot) {
    EXPECT_EQ(t.verdict, HostVerdict::kUp);
    EXPECT_EQ(t.record.snapshot, true);
  }
  cluster.run(seconds{600});
  EXPECT_TRUE(cluster.seen.empty());
}

TEST(Membership, ADeadHostIsSuspectFirstAndDownWithinThreeAndAHalfSeconds) {
  Cluster cluster(3);
  cluster.kill("h2");
  const auto died = cluster.now;
  cluster.run(Milliseconds{3500});
  ASSERT_EQ(cluster.seen.size(), 2U);
  EXPECT_EQ(cluster.seen[0].verdict, HostVerdict::kSuspect);
  EXPECT_EQ(cluster.seen[1].verdict, HostVerdict::kDown);
  const auto& record = cluster.seen[1].record;
  EXPECT_EQ(record.host, "h2");
  EXPECT_EQ(record.net, "silent");
  EXPECT_EQ(record.store, "silent");
  EXPECT_EQ(record.peers_asked, 1);
  EXPECT_EQ(record.peers_reached, 0);
  EXPECT_EQ(record.cause, cluster.seen[0].record.cause);
  EXPECT_LE(cluster.now - died, Milliseconds{3500});
}

// Rule 2: a living heartbeat on the storage means that it is not dead.
TEST(Membership, AHostThatWritesToTheStorageIsIsolatedAndNotDown) {
  Cluster cluster(3);
  cluster.kill("h2");
  cluster.living["h2"].store = true;
  cluster.run(seconds{60});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kIsolated);
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
  cluster.living["h2"].store = false;
  cluster.run(seconds{5});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
}

// Its agent may write to another directory than the watcher reads, or its storage takes writes and keeps
// them.
TEST(Membership, AHostOfWhichNothingArrivesOnTheStorageIsSuspect) {
  Cluster cluster(3);
  cluster.living["h2"].store = false;
  cluster.run(seconds{2});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kUp);
  cluster.run(seconds{10});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect);
  EXPECT_FALSE(cluster.membership->health(cluster.now)[1].well);
  EXPECT_TRUE(cluster.membership->health(cluster.now)[0].well);
  cluster.living["h2"].store = true;
  cluster.run(seconds{2});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kUp);
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
}

TEST(Membership, AHostThatOthersReachIsPartitionedAndNotDown) {
  Cluster cluster(3);
  cluster.kill("h2");
  cluster.living["h2"].peers = true;
  cluster.run(seconds{60});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kPartitioned);
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
}

TEST(Membership, AHostOfWhichLibvirtdAnswersIsNotDown) {
  Cluster cluster(3);
  cluster.kill("h2");
  cluster.living["h2"].libvirt = true;
  cluster.run(seconds{60});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect);
  cluster.living["h2"].libvirt = false;
  cluster.living["h2"].refuses = true;
  cluster.run(seconds{5});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kHypervisorDown);
}

TEST(Membership, ThatTheLibvirtdOfADeadHostAnswersIsTold) {
  Cluster cluster(3);
  cluster.kill("h2");
  cluster.run(seconds{6});
  ASSERT_EQ(cluster.of("h2"), HostVerdict::kDown);
  cluster.living["h2"].libvirt = true;
  cluster.run(seconds{6});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect);
  EXPECT_EQ(cluster.seen.back().record.libvirt, "answers");
}

TEST(Membership, NobodyIsDownBeforeTheAnswersAreIn) {
  Cluster cluster(3, seconds{3});
  cluster.kill("h2");
  cluster.run(seconds{4});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect) << "long silent, and asked two seconds ago";
  cluster.membership->libvirt(1, LibvirtAnswer::kAnswers, cluster.now);
  cluster.run(Milliseconds{500});
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
}

// Rule 1: unknown is not dead.
TEST(Membership, NobodyIsDownWhileTheWatcherItselfCannotUseTheStorage) {
  Cluster cluster(3);
  cluster.storage_works = false;
  cluster.run(seconds{5});
  cluster.kill("h2");
  cluster.run(seconds{60});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect);
  cluster.storage_works = true;
  cluster.run(Milliseconds{2000});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect) << "silence counts only from when it could be heard";
  cluster.run(seconds{4});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
}

TEST(Membership, AHostThatWasNeverHeardIsNotDown) {
  WatchPolicy policy;
  policy.storage = true;
  Membership membership(policy, {"h1", "h2", "h3"}, kNonce, Milliseconds{0});
  for (Milliseconds now{0}; now < seconds{60}; now += Milliseconds{100}) {
    membership.storage_works(true, now);
    membership.tick(now);
    if (now == seconds{12}) {
      EXPECT_TRUE(membership.settled(now));
      for (const auto& t : membership.snapshot(now)) EXPECT_EQ(t.verdict, HostVerdict::kUnknown);
    }
  }
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(membership.verdict(i), HostVerdict::kUnknown);
}

TEST(Membership, AHostThatWasNeverHeardIsNotDownAmongOthersThatLive) {
  Membership membership({}, {"h1", "h2", "h3"}, kNonce, Milliseconds{0});
  for (Milliseconds now{0}; now < seconds{60}; now += Milliseconds{100}) {
    if (now == seconds{12}) membership.snapshot(now);
    const auto round = membership.tick(now);
    for (const auto& wish : round.wishes) {
      if (wish.host != 0) membership.libvirt(wish.host, LibvirtAnswer::kAnswers, now);
    }
  }
  EXPECT_EQ(membership.verdict(0), HostVerdict::kUnknown);
  EXPECT_EQ(membership.verdict(1), HostVerdict::kUp);
}

// Rule 2: when more than half are silent, the fault is probably here.
TEST(Membership, DoubtsItselfWhenMoreThanHalfAreSilent) {
  Cluster cluster(5);
  for (const auto* host : {"h1", "h2", "h3"}) cluster.kill(host);
  cluster.run(seconds{60});
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
  EXPECT_EQ(cluster.doubts, 1);
  cluster.living["h3"].net = cluster.living["h3"].store = true;
  cluster.run(seconds{5});
  EXPECT_EQ(cluster.of("h1"), HostVerdict::kDown) << "two of five are no reason to doubt";
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
}

// Those that lost their power together do not come back together.
TEST(Membership, AfterAPowerFailureTheLastOnesAreGivenTimeToBoot) {
  Cluster cluster(5);
  for (const auto* host : {"h1", "h2", "h3"}) cluster.kill(host);
  cluster.run(seconds{60});
  const auto boots = [&cluster](const char* host) {
    cluster.living[host] = {};
    cluster.living[host].incarnation = 2;
  };
  boots("h3");
  cluster.run(seconds{90});
  boots("h2");
  cluster.run(seconds{25});
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
  cluster.run(seconds{10});
  EXPECT_EQ(cluster.of("h1"), HostVerdict::kDown) << "it had its time";
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kUp);
  cluster.kill("h4");
  cluster.run(seconds{5});
  EXPECT_EQ(cluster.of("h4"), HostVerdict::kDown) << "it was well when the others were silent";
}

TEST(Membership, TheDoubtNamesTheSilentHostsAlsoThoseThatFollow) {
  Cluster cluster(5);
  for (const auto* host : {"h1", "h2", "h3"}) cluster.kill(host);
  cluster.run(seconds{20});
  EXPECT_EQ(cluster.doubts, 1);
  EXPECT_NE(cluster.doubt.find("(h1, h2, h3)"), std::string::npos) << cluster.doubt;
  cluster.kill("h5");
  cluster.run(seconds{60});
  EXPECT_EQ(cluster.doubts, 2);
  EXPECT_NE(cluster.doubt.find("(h1, h2, h3, h5)"), std::string::npos) << cluster.doubt;
}

TEST(Membership, HostsWithoutAgentsThatAreSilentTogetherAreNotDown) {
  Membership membership({}, {"h1", "h2", "h3"}, kNonce, Milliseconds{0});
  int doubts = 0;
  for (Milliseconds now{0}; now < seconds{60}; now += Milliseconds{100}) {
    if (now == seconds{5}) membership.snapshot(now);
    const auto round = membership.tick(now);
    for (const auto& wish : round.wishes) {
      if (wish.host == 2 || now < seconds{20}) membership.libvirt(wish.host, LibvirtAnswer::kAnswers, now);
    }
    if (round.doubt) ++doubts;
    for (std::size_t host = 0; host < 3; ++host) EXPECT_NE(membership.verdict(host), HostVerdict::kDown);
  }
  EXPECT_EQ(membership.verdict(0), HostVerdict::kSuspect);
  EXPECT_EQ(doubts, 1);
}

TEST(Membership, AFencedHostIsMissingForAKnownReason) {
  Cluster cluster(3);
  cluster.kill("h1");
  cluster.run(seconds{5});
  ASSERT_EQ(cluster.of("h1"), HostVerdict::kDown);
  cluster.membership->set_fenced({"h1"});
  cluster.kill("h2");
  cluster.run(seconds{5});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown) << "one of the two that are left";
}

TEST(Membership, AWatcherThatStoodStillDeclaresNobodyDead) {
  Cluster cluster(3);
  cluster.now += seconds{10};  // nothing was heard, for nobody listened
  cluster.membership->was_late(seconds{10}, cluster.now);
  cluster.run(seconds{20});
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
}

TEST(Membership, TheTimeInWhichAWatcherStoodStillIsNobodysSilence) {
  Cluster cluster(5, seconds{1}, false);
  cluster.run(seconds{3});
  cluster.now += seconds{60};
  cluster.membership->was_late(seconds{60}, cluster.now);
  // Four are heard at once; the fifth is slow, and does not answer either, for as long as a host may be slow.
  const auto slow = cluster.living["h3"];
  cluster.kill("h3");
  cluster.run(Milliseconds{2500});
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
  cluster.living["h3"] = slow;
  cluster.run(seconds{5});
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
}

TEST(Membership, PlannedSilenceIsMaintenance) {
  Cluster cluster(3);
  cluster.membership->set_maintenance({"h1"});
  cluster.kill("h1");
  cluster.living["h2"].leaving = true;
  cluster.run(seconds{2});
  cluster.kill("h2");
  cluster.run(seconds{60});
  EXPECT_EQ(cluster.of("h1"), HostVerdict::kMaintenance);
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kMaintenance);
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
  cluster.living["h2"] = {};
  cluster.living["h2"].incarnation = 2;
  cluster.run(seconds{3});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kUp);
}

TEST(Membership, TheLeaveOfAnAgentThatWasStartedAnewIsNotItsOwn) {
  Cluster cluster(4);
  Message leave = cluster.last;
  leave.name = "h2";
  leave.leaving = true;
  leave.incarnation = cluster.living["h2"].incarnation;
  leave.seq = cluster.living["h2"].seq + 1;
  // The new one does not write to the storage, and the old one's leave is read after its first beat.
  cluster.living["h2"] = {};
  cluster.living["h2"].incarnation = 2;
  cluster.living["h2"].store = false;
  cluster.run(seconds{1});
  cluster.membership->slot(1, leave, cluster.now);
  cluster.run(seconds{5});
  cluster.kill("h2");
  cluster.run(seconds{10});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
}

// Rule 2: whoever can write to the storage can put back what stood there, with its signature.
TEST(Membership, OldSlotsInWhateverOrderAreNoLife) {
  Cluster cluster(3);
  cluster.run(seconds{5});
  Message old = cluster.last;
  old.name = "h2";
  cluster.kill("h2");
  const auto before = cluster.living["h2"].seq;
  for (int i = 0; i < 100; ++i) {
    old.seq = before - static_cast<std::uint64_t>(i % 2);
    cluster.membership->slot(1, old, cluster.now);
    cluster.step();
  }
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
  EXPECT_FALSE(cluster.ever(HostVerdict::kIsolated));
}

TEST(Membership, WhatWasWrittenBeforeTheWatcherBeganIsNoLife) {
  Cluster cluster(3);
  cluster.kill("h2");
  Message old = cluster.last;
  old.name = "h2";
  old.incarnation = 9;
  old.nonce = kNonce + 1;
  for (std::uint64_t i = 0; i < 100; ++i) {
    old.seq = 100 + i;
    old.leaving = i % 3 == 0;
    EXPECT_EQ(cluster.membership->slot(1, old, cluster.now), Membership::SlotHeard::kUnproven);
    cluster.step();
  }
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
}

TEST(Membership, AnIncarnationThatWasReplacedNeverReturns) {
  Cluster cluster(3);
  for (std::uint64_t i = 2; i < 40; ++i) {
    cluster.living["h2"].incarnation = i;
    cluster.run(seconds{1});
  }
  cluster.kill("h2");
  Message old = cluster.last;
  old.name = "h2";
  for (std::uint64_t i = 0; i < 100; ++i) {
    old.incarnation = 1 + i % 39;
    old.seq = 1000 + i;
    old.leaving = true;
    if (old.incarnation < 39) {
      EXPECT_EQ(cluster.membership->slot(1, old, cluster.now), Membership::SlotHeard::kReplayed);
      EXPECT_EQ(cluster.membership->beat(1, old, cluster.now), Membership::Heard::kTwin);
    }
    cluster.step();
  }
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
}

TEST(Membership, ASlotThatBringsTheNonceAmongOthersIsLife) {
  Cluster cluster(3);
  cluster.living["h2"].net = cluster.living["h2"].store = false;
  cluster.living["h2"].peers = cluster.living["h2"].libvirt = false;
  Message young = cluster.last;
  young.name = "h2";
  young.nonce = 0;
  young.target = nonces_text({5, kNonce}, kMaxName);
  for (std::uint64_t i = 0; i < 100; ++i) {
    young.seq = 1000 + i;
    EXPECT_EQ(cluster.membership->slot(1, young, cluster.now), Membership::SlotHeard::kFresh);
    cluster.step();
  }
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kIsolated);
}

TEST(Membership, TheFirstPictureWaitsForTheStorageToAnswerTheChallenge) {
  WatchPolicy policy;
  policy.storage = true;
  Membership membership(policy, {"h1"}, kNonce, Milliseconds{0});
  Message message;
  message.name = "h1";
  message.incarnation = 1;
  message.libvirt_ok = message.storage_ok = true;
  Milliseconds now{0};
  const auto live = [&](std::uint64_t slot_nonce) {
    now += seconds{1};
    ++message.seq;
    membership.storage_works(true, now);
    membership.challenged(now);
    message.nonce = kNonce;
    membership.beat(0, message, now);
    message.nonce = slot_nonce;
    membership.slot(0, message, now);
    static_cast<void>(membership.tick(now));
  };
  live(0);
  EXPECT_FALSE(membership.settled(now));
  live(kNonce);
  EXPECT_TRUE(membership.settled(now));
  EXPECT_EQ(membership.snapshot(now).front().record.store, "alive");
}

TEST(Membership, ASlotThatCannotBeReadIsNoSilence) {
  Cluster cluster(4);
  cluster.kill("h2");
  cluster.kill("h3");
  for (int i = 0; i < 100; ++i) {
    cluster.membership->slot_unreadable(1, cluster.now);
    cluster.step();
  }
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect);
  EXPECT_EQ(cluster.of("h3"), HostVerdict::kDown) << "it says nothing of the others";
  cluster.run(seconds{2});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect) << "silent for less than it takes";
  cluster.run(seconds{2});
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kDown);
}

TEST(Membership, TellsAHypervisorAndAStorageThatFailFromADeadHost) {
  Cluster cluster(3);
  cluster.living["h1"].agent_libvirt = false;
  cluster.living["h2"].agent_storage = false;
  cluster.living["h2"].store = false;
  cluster.run(seconds{60});
  EXPECT_EQ(cluster.of("h1"), HostVerdict::kHypervisorDown);
  EXPECT_EQ(cluster.of("h2"), HostVerdict::kSuspect);
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
}

TEST(Membership, ReplayedAndUnprovenBeatsAreNoLife) {
  Cluster cluster(3);
  cluster.run(seconds{3});
  const Message recorded = cluster.last;  // of h3
  cluster.kill("h3");
  Message old = recorded;
  old.nonce = kNonce + 1;  // heard by a watcher before this one
  for (int i = 0; i < 100; ++i) {
    cluster.step();
    EXPECT_EQ(cluster.membership->beat(2, recorded, cluster.now), Membership::Heard::kReplayed);
    EXPECT_EQ(cluster.membership->beat(2, old, cluster.now), Membership::Heard::kUnproven);
  }
  EXPECT_EQ(cluster.of("h3"), HostVerdict::kDown);
}

TEST(Membership, AgentsThatShareANameAreToldAndNotTrusted) {
  Cluster cluster(3);
  cluster.living["h1"].incarnation = 2;  // started again
  cluster.run(seconds{2});
  EXPECT_TRUE(cluster.seen.empty());
  Message other = cluster.last;
  other.name = "h1";
  other.incarnation = 1;  // and the one before still speaks
  other.seq = 1000;
  EXPECT_EQ(cluster.membership->beat(0, other, cluster.now), Membership::Heard::kTwin);
  cluster.run(seconds{1});
  EXPECT_EQ(cluster.of("h1"), HostVerdict::kSuspect);
}

TEST(Membership, AFlappingHostHasToShowCalm) {
  Cluster cluster(3);
  for (int i = 0; i < 4; ++i) {
    cluster.living["h1"].net = false;
    cluster.run(Milliseconds{2500});
    cluster.living["h1"].net = true;
    cluster.run(seconds{2});
  }
  EXPECT_EQ(cluster.of("h1"), HostVerdict::kSuspect);
  cluster.run(seconds{20});
  EXPECT_EQ(cluster.of("h1"), HostVerdict::kSuspect);
  cluster.run(seconds{15});
  EXPECT_EQ(cluster.of("h1"), HostVerdict::kUp);
  EXPECT_FALSE(cluster.ever(HostVerdict::kDown));
}

TEST(Membership, AHostWithoutAgentIsJudgedByLibvirtdAlone) {
  WatchPolicy policy;
  Membership membership(policy, {"h1", "h2"}, kNonce, Milliseconds{0});
  bool lives = true, begun = false;
  std::vector<HostVerdict> of_h1;
  for (Milliseconds now{0}; now < seconds{60}; now += Milliseconds{100}) {
    if (!begun && membership.settled(now)) {
      begun = true;
      EXPECT_LE(now, seconds{2});
      membership.snapshot(now);
    }
    if (now == seconds{20}) lives = false;
    auto round = membership.tick(now);
    for (const auto& wish : round.wishes) {
      if (wish.libvirt && (lives || wish.host == 1))
        membership.libvirt(wish.host, LibvirtAnswer::kAnswers, now);
    }
    for (const auto& t : round.transitions) {
      if (t.record.host == "h1") of_h1.push_back(t.verdict);
    }
    if (now == seconds{19}) {
      EXPECT_TRUE(of_h1.empty());
    }
  }
  EXPECT_EQ(of_h1, (std::vector{HostVerdict::kSuspect, HostVerdict::kDown}));
  EXPECT_EQ(membership.verdict(1), HostVerdict::kUp);
}

TEST(Membership, AHostWithoutAgentThatTakesConnectionsIsNotDown) {
  WatchPolicy policy;
  Membership membership(policy, {"h1", "h2"}, kNonce, Milliseconds{0});
  bool begun = false;
  for (Milliseconds now{0}; now < seconds{60}; now += Milliseconds{100}) {
    if (!begun && membership.settled(now)) begun = !membership.snapshot(now).empty();
    const auto round = membership.tick(now);
    for (const auto& wish : round.wishes) {
      if (wish.connect) membership.connects(wish.host, now < seconds{40});
      if (wish.libvirt && (wish.host == 1 || now < seconds{10}))
        membership.libvirt(wish.host, LibvirtAnswer::kAnswers, now);
    }
    EXPECT_TRUE(now > seconds{40} || membership.verdict(0) != HostVerdict::kDown);
    if (now == seconds{39}) {
      EXPECT_EQ(membership.verdict(0), HostVerdict::kHypervisorDown);
    }
  }
  EXPECT_EQ(membership.verdict(0), HostVerdict::kDown);
}

TEST(Membership, WhenItBeginsAgentsAreHeardBeforeAnyLibvirtdIsAsked) {
  Cluster cluster(200);
  std::size_t asked = 0;
  Membership fresh({}, cluster.names, kNonce, Milliseconds{0});
  for (Milliseconds now{0}; now < seconds{1}; now += Milliseconds{100})
    asked += fresh.tick(now).wishes.size();
  EXPECT_EQ(asked, 0);
}

TEST(Membership, AQuestionThatCouldNotBeAskedIsNoSilence) {
  Membership membership({}, {"h1", "h2", "h3"}, kNonce, Milliseconds{0});
  for (Milliseconds now{0}; now < seconds{60}; now += Milliseconds{100}) {
    if (now == seconds{5}) {
      for (std::size_t host = 0; host < 3; ++host) membership.libvirt(host, LibvirtAnswer::kAnswers, now);
      membership.snapshot(now);
    }
    const auto round = membership.tick(now);
    for (const auto& wish : round.wishes) {
      if (wish.host == 0 && now > seconds{5}) {
        membership.not_asked(wish.host);
      } else if (now > seconds{5}) {
        membership.libvirt(wish.host, LibvirtAnswer::kAnswers, now);
      }
    }
    if (now > seconds{5}) {
      EXPECT_NE(membership.verdict(0), HostVerdict::kDown) << now.count();
    }
  }
}

TEST(Membership, AHostThatReturnsIsUpAndEndsItsIncident) {
  Cluster cluster(3);
  cluster.kill("h2");
  cluster.run(seconds{10});
  const auto incident = cluster.seen.back().record.cause;
  cluster.living["h2"] = {};
  cluster.living["h2"].incarnation = 2;
  cluster.run(seconds{3});
  EXPECT_EQ(cluster.seen.back().verdict, HostVerdict::kUp);
  EXPECT_EQ(cluster.seen.back().record.cause, incident);
  EXPECT_EQ(cluster.seen.back().record.incarnation, "0000000000000002");
}

}  // namespace
}  // namespace rackline::heartbeat
