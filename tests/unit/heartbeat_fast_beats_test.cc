// SPDX-License-Identifier: Apache-2.0
// Heartbeats every 250 ms in simulated time: how soon a death is found, and that nobody is called dead who
// lives.
#include <gtest/gtest.h>

#include <random>

#include "heartbeat/membership.h"

namespace rackline::heartbeat {
namespace {

constexpr std::uint64_t kNonce = 77;
constexpr Milliseconds kBeat{250}, kSlot{250}, kTick{50}, kReading{62};

class FastBeats {
 public:
  FastBeats(int hosts, double lost, unsigned seed) : lost_(lost), random_(seed) {
    WatchPolicy policy;
    policy.storage = true;
    policy.detector = paced(kBeat, {}, {});
    policy.answer = policy.detector.dead - policy.detector.suspect;
    std::vector<std::string> names;
    for (int i = 0; i < hosts; ++i) {
      names.push_back("h" + std::to_string(i));
      beats_.push_back(now_ + below(kBeat));
      slots_.push_back(now_ + below(kSlot));
    }
    living_.assign(names.size(), true);
    slot_.resize(names.size());
    membership_.emplace(policy, names, kNonce, now_);
    membership_->challenged(now_);
    run(Milliseconds{3000});
    membership_->snapshot(now_);
  }

  void run(Milliseconds time) {
    for (const auto until = now_ + time; now_ < until;) {
      now_ += Milliseconds{1};
      for (std::size_t i = 0; i < living_.size(); ++i) {
        if (now_ >= beats_[i]) {
          beats_[i] += kBeat;
          if (living_[i] && !dropped()) membership_->beat(i, message(i), now_);
        }
        if (now_ >= slots_[i]) {
          slots_[i] += kSlot;
          if (living_[i]) slot_[i] = message(i);
        }
      }
      if (now_ % kReading == Milliseconds{0}) {
        membership_->storage_works(true, now_);
        for (std::size_t i = 0; i < living_.size(); ++i) membership_->slot(i, slot_[i], now_);
      }
      if (now_ % kTick != Milliseconds{0}) continue;
      auto round = membership_->tick(now_);
      // libvirtd of a busy host takes too long to answer, of a dead one for ever; so do the agents of others.
      for (const auto& t : round.transitions) {
        if (t.verdict != HostVerdict::kDown) continue;
        downs_.emplace_back(t.record.host, now_);
      }
    }
  }
  Milliseconds below(Milliseconds limit) {
    return Milliseconds{static_cast<Milliseconds::rep>(random_() % static_cast<unsigned>(limit.count()))};
  }
  Message message(std::size_t i) {
    Message message;
    message.name = membership_->name(i);
    message.incarnation = i + 1;
    message.seq = ++seq_;
    message.nonce = kNonce;
    message.libvirt_ok = message.storage_ok = true;
    return message;
  }

  Milliseconds now_{0};
  std::vector<bool> living_;
  std::vector<std::pair<std::string, Milliseconds>> downs_;

 private:
  bool dropped() { return std::uniform_real_distribution<>(0, 1)(random_) < lost_; }

  double lost_;
  std::mt19937 random_;
  std::optional<Membership> membership_;
  std::vector<Milliseconds> beats_, slots_;
  std::vector<Message> slot_;
  std::uint64_t seq_ = 0;
};

TEST(FastBeats, ADeathIsFoundWithin1200Milliseconds) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    FastBeats cluster(3, 0, seed);
    cluster.run(cluster.below(kBeat * 4));
    cluster.living_[1] = false;
    const auto died = cluster.now_;
    cluster.run(Milliseconds{2000});
    ASSERT_EQ(cluster.downs_.size(), 1U) << seed;
    EXPECT_EQ(cluster.downs_[0].first, "h1");
    EXPECT_LE(cluster.downs_[0].second - died, Milliseconds{1200}) << seed;
  }
}

TEST(FastBeats, NobodyIsCalledDeadWhileAFifthOfTheBeatsIsLost) {
  FastBeats cluster(5, 0.2, 1);
  cluster.run(std::chrono::minutes{10});
  EXPECT_TRUE(cluster.downs_.empty());
}

}  // namespace
}  // namespace rackline::heartbeat
