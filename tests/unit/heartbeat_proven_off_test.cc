// SPDX-License-Identifier: Apache-2.0
// Rule 21: a host that is marked as fenced and shows life is an alarm, and what was on the way when its power
// went is no life.
#include <gtest/gtest.h>

#include "heartbeat/membership.h"
#include "heartbeat/watch_call.h"

namespace rackline::heartbeat {
namespace {

using std::chrono::seconds;
constexpr std::uint64_t kNonce = 77;       // of the watcher
constexpr std::uint64_t kFenceNonce = 99;  // drawn when the mark was read

// Three hosts that beat once a second until h1 dies and is fenced; the marks are read once a second.
class FenceContradictedTest : public testing::Test {
 protected:
  FenceContradictedTest() {
    policy_.storage = true;
    membership_.emplace(policy_, std::vector<std::string>{"h1", "h2", "h3"}, kNonce, now_);
    membership_->challenged(now_);
    run(seconds{3});
    membership_->snapshot(now_);
    lives_ = false;
    run(seconds{6});
    EXPECT_EQ(verdict(), HostVerdict::kDown);
    marked_ = true;
    run(seconds{2});
    EXPECT_EQ(verdict(), HostVerdict::kDown);
  }

  void run(Milliseconds time) {
    for (const auto until = now_ + time; now_ < until;) {
      now_ += Milliseconds{100};
      membership_->storage_works(true, now_);
      const bool second = now_ % seconds{1} == Milliseconds{0};
      for (std::size_t host = lives_ ? 0 : 1; second && host < 3; ++host) {
        last_ = message(host, kNonce);
        membership_->beat(host, last_, now_);
        membership_->slot(host, last_, now_);
        if (host == 0) slot_ = last_;
      }
      if (now_ % Milliseconds{200} == Milliseconds{0}) membership_->slot(0, slot_, now_);
      if (second) read_marks(now_ - Milliseconds{50});
      for (auto& t : membership_->tick(now_).transitions) seen_.push_back(std::move(t));
    }
  }
  void read_marks(Milliseconds began) {
    std::map<std::string, std::string, std::less<>> off;
    if (marked_) off["h1"] = fence_;
    membership_->set_fenced(marked_ ? std::set<std::string, std::less<>>{"h1"}
                                    : std::set<std::string, std::less<>>{});
    membership_->set_off(off, kFenceNonce, began, now_);
  }
  Message message(std::size_t host, std::uint64_t nonce) {
    Message message;
    message.name = membership_->name(host);
    message.incarnation = host + 1;
    message.seq = ++seq_;
    message.nonce = nonce;
    message.libvirt_ok = message.storage_ok = true;
    return message;
  }
  HostVerdict verdict() const { return membership_->verdict(0); }

  WatchPolicy policy_;
  Milliseconds now_{0};
  std::optional<Membership> membership_;
  bool lives_ = true, marked_ = false;
  std::string fence_ = "f1";
  std::uint64_t seq_ = 0;
  Message last_, slot_;  // slot_: what stands in that of h1
  std::vector<Transition> seen_;
};

TEST_F(FenceContradictedTest, AHeartbeatThatAnswersTheWatcherAfterTheFenceIsLife) {
  EXPECT_EQ(membership_->nonce_of(0), kFenceNonce) << "what acks tell it from now on";
  EXPECT_EQ(membership_->nonce_of(1), kNonce);
  EXPECT_EQ(membership_->beat(0, message(0, kFenceNonce), now_), Membership::Heard::kFresh);
  run(seconds{2});
  ASSERT_EQ(verdict(), HostVerdict::kFenceContradicted);
  const auto& record = seen_.back().record;
  EXPECT_EQ(record.verdict, "fence_contradicted");
  EXPECT_EQ(*record.reason, "it is marked as fenced (f1), and heartbeats of it come in over the network");
  EXPECT_NE(call_for_person(seen_.back()).find("Pull its plug"), std::string::npos);
  bool kind = false;
  seen_.back().as_kind([&]<class K>(const K&) { kind = std::is_same_v<K, record::FenceContradicted>; });
  EXPECT_TRUE(kind);
  run(seconds{600});
  EXPECT_EQ(verdict(), HostVerdict::kFenceContradicted) << "silence does not take it back";
  EXPECT_EQ(membership_->health(now_)[0].verdict, "fence_contradicted");
}

// Whoever has that key may have said it. To stop the starts for a lie is safe, to go on in spite of the truth
// is not; the reason says it.
TEST_F(FenceContradictedTest, LifeThatIsSignedWithTheSharedKeyCountsToo) {
  auto beat = message(0, kFenceNonce);
  beat.doubtful = true;
  beat.key_id = 0xabcd;
  EXPECT_EQ(membership_->beat(0, beat, now_), Membership::Heard::kFresh);
  run(seconds{2});
  ASSERT_EQ(verdict(), HostVerdict::kFenceContradicted);
  EXPECT_NE(seen_.back().record.reason->find("with the shared key, 0000abcd"), std::string::npos);
}

// What was said with the shared key is void with the first word of the host itself, but only if that is
// young.
TEST_F(FenceContradictedTest, TheFirstWordWithItsOwnKeyHasToAnswerTheWatcherAsWell) {
  auto old = message(2, kNonce + 1);
  old.anew = true;
  EXPECT_EQ(membership_->beat(2, old, now_), Membership::Heard::kUnproven);
  EXPECT_EQ(membership_->beat(2, last_, now_), Membership::Heard::kReplayed) << "nothing was forgotten";
  auto own = message(0, kFenceNonce);
  own.anew = true;
  own.seq = 1;
  EXPECT_EQ(membership_->beat(0, own, now_), Membership::Heard::kFresh);
}

TEST_F(FenceContradictedTest, HeartbeatsThatWereOnTheWayAreNoLife) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(membership_->beat(0, message(0, kNonce), now_), Membership::Heard::kUnproven);
    run(seconds{1});
  }
  EXPECT_EQ(verdict(), HostVerdict::kDown);
}

TEST_F(FenceContradictedTest, TheOneWriteThatWasUnderWayIsNoLifeAndASecondOneIs) {
  slot_ = message(0, kNonce);
  run(seconds{2});
  EXPECT_NE(verdict(), HostVerdict::kFenceContradicted) << "it may have been under way when the power went";
  slot_ = message(0, kNonce);
  run(seconds{2});
  EXPECT_EQ(verdict(), HostVerdict::kFenceContradicted);
}

TEST_F(FenceContradictedTest, WhatStoodInTheSlotWhenTheMarkWasReadIsNoLife) {
  marked_ = false;
  read_marks(now_);
  marked_ = true;
  fence_ = "f2";
  read_marks(now_);
  const auto before = now_ - Milliseconds{1};
  for (int i = 0; i < 5; ++i) membership_->slot(0, message(0, kNonce), now_, before);
  membership_->slot(0, message(0, kNonce), now_, now_);  // the first look
  slot_ = message(0, kNonce);                            // the late write
  run(seconds{2});
  EXPECT_NE(verdict(), HostVerdict::kFenceContradicted);
}

TEST_F(FenceContradictedTest, OldSlotsThatArePutBackAreNoLife) {
  for (int i = 0; i < 10; ++i) {
    slot_.seq = static_cast<std::uint64_t>(i % 2 + 1);
    run(seconds{1});
  }
  EXPECT_EQ(verdict(), HostVerdict::kDown);
}

TEST_F(FenceContradictedTest, OnlyAnAnswerToAQuestionOfAfterwardsIsLife) {
  membership_->libvirt(0, LibvirtAnswer::kAnswers, now_, now_ - seconds{10});
  run(seconds{2});
  EXPECT_NE(verdict(), HostVerdict::kFenceContradicted);
  membership_->libvirt(0, LibvirtAnswer::kTimeout, now_, now_);
  run(seconds{2});
  EXPECT_NE(verdict(), HostVerdict::kFenceContradicted);
  membership_->libvirt(0, LibvirtAnswer::kRefused, now_, now_);
  run(seconds{2});
  EXPECT_EQ(verdict(), HostVerdict::kFenceContradicted);
}

TEST_F(FenceContradictedTest, AnAgentThatOthersReachIsLife) {
  run(seconds{5});  // they are asked again
  membership_->told(0, true, now_);
  run(seconds{2});
  EXPECT_EQ(verdict(), HostVerdict::kFenceContradicted);
}

// It gets its other mark before it is switched on; the watcher reads the marks once a second.
TEST_F(FenceContradictedTest, AHostThatIsTakenBackIsNone) {
  membership_->beat(0, message(0, kFenceNonce), now_);
  read_marks(now_ - Milliseconds{50});  // begun before it was heard
  run(Milliseconds{100});
  EXPECT_NE(verdict(), HostVerdict::kFenceContradicted);
  marked_ = false;  // it is returning
  lives_ = true;
  run(seconds{5});
  EXPECT_EQ(verdict(), HostVerdict::kUp);
  EXPECT_EQ(membership_->nonce_of(0), kNonce);
}

TEST_F(FenceContradictedTest, ANewFenceIsAProofOfItsOwn) {
  membership_->beat(0, message(0, kFenceNonce), now_);
  run(seconds{2});
  ASSERT_EQ(verdict(), HostVerdict::kFenceContradicted);
  fence_ = "by a person";
  run(seconds{5});
  EXPECT_EQ(verdict(), HostVerdict::kDown);
}

// A host that was dead before its watcher began is not taken for dead, and not passed over either.
TEST(NeverHeard, IsToldToAPersonWithWhenItLivedLast) {
  Membership membership({}, {"h1", "h2", "h3"}, kNonce, Milliseconds{0});
  membership.set_last_contact(0, "2026-11-29T10:00:00Z");
  membership.set_fenced({"h3"});
  std::vector<Transition> snapshot;
  for (Milliseconds now{0}; now < seconds{30}; now += Milliseconds{100}) {
    if (snapshot.empty() && membership.settled(now)) snapshot = membership.snapshot(now);
    for (const auto& wish : membership.tick(now).wishes) {
      if (wish.host == 1) membership.libvirt(wish.host, LibvirtAnswer::kAnswers, now);
    }
  }
  ASSERT_EQ(snapshot.size(), 3U);
  EXPECT_EQ(snapshot[0].record.verdict, "unknown");
  const std::string call = call_for_person(snapshot[0]);
  EXPECT_TRUE(
      call.starts_with("h1: never heard of since the watcher began; last heard of at 2026-11-29T10:00:00Z"))
      << call;
  EXPECT_NE(call.find("fence --confirm-manual h1 | failover"), std::string::npos);
  EXPECT_EQ(call_for_person(snapshot[1]), "");
  EXPECT_EQ(call_for_person(snapshot[2]), "") << "it is fenced: its silence is no riddle";
}

}  // namespace
}  // namespace rackline::heartbeat
