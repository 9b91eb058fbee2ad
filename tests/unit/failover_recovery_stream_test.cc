// SPDX-License-Identifier: Apache-2.0
// A failover that reads a stream: nothing that hangs keeps it from a proof that has come in.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "failover/recovery_stream.h"
#include "failover_fake.h"
#include "record/reader.h"
#include "store_urls.h"

namespace rackline::failover {
namespace {

class StreamTest : public testing::Test {
 protected:
  StreamTest() : store_(store::Store::open("sqlite:" + (directory_.path() / "state.db").string())) {
    policy_.poll = Milliseconds{1};
    policy_.timeout = Milliseconds{3000};
    policy_.verify_timeout = Milliseconds{3000};
    policy_.lock_timeout = Milliseconds{0};
    inventory_ = fake_hosts(cluster_, 4);
    EXPECT_EQ(pipe2(pipe_, O_CLOEXEC), 0);
  }
  void protect(const std::string& name, const std::string& host) {
    ASSERT_TRUE(put(*store_, fake_protected(name, host)));
  }
  void tell(const std::string& line) {
    ASSERT_EQ(write(pipe_[1], (line + "\n").data(), line.size() + 1), static_cast<ssize_t>(line.size() + 1));
  }
  void fence(const std::string& host) {
    cluster_.kill(host);
    cluster::FenceMark mark;
    mark.host = host;
    mark.id = "f-" + host;
    ASSERT_TRUE(cluster::put(*store_, mark));
    tell(R"({"kind":"host_fenced","time":"2026-11-22T12:00:00Z","tool":"fence","id":"f-)" + host +
         R"(","host":")" + host + R"(","method":"fake","power_after":"off","verified":true})");
  }
  // Reads the pipe until it is closed; `script` says meanwhile what comes when.
  void run(const std::function<void()>& script) {
    const auto reader =
        std::make_shared<record::Reader>(pipe_[0], "stream", record::Policy::kRefuse, nullptr);
    Recovery recovery(policy_, inventory_, cluster_, *store_, system_clock(),
                      [](const probe::Check&, Milliseconds) { return probe::Answer{true}; },
                      {.restarted =
                           [this](const record::VmRestarted& r) {
                             const std::lock_guard guard(mutex_);
                             restarted_[r.vm] = std::chrono::steady_clock::now();
                           },
                       .not_restarted = [](const record::VmNotRestarted&) {},
                       .warn = [](const std::string&) {},
                       .urgent = [this] { return feed_->has_news(); }});
    FencedFeed feed(reader, system_clock(), [](const record::Reader&) {});
    feed_ = &feed;
    RecoveryStream stream(recovery, feed, system_clock(),
                          {.accepted = [this](const record::HostFenced& f) { accepted_.insert(f.host); },
                           .looked =
                               [this](const View& view) {
                                 for (const auto& host : accepted_) outdated_ |= view.hosts.contains(host);
                               },
                           .warn = [](const std::string&) {}},
                          {Milliseconds{200}, Milliseconds{200}});
    std::thread told([&] {
      script();
      tell(R"({"kind":"end","time":"2026-11-22T12:00:00Z","tool":"fence","outcome":"ok"})");
      close(pipe_[1]);
    });
    stream.run();
    told.join();
  }
  void until(const std::function<bool()>& holds) {
    for (int i = 0; i < 500 && !holds(); ++i) std::this_thread::sleep_for(Milliseconds{10});
    EXPECT_TRUE(holds());
  }
  bool restarted(const std::string& vm) {
    const std::lock_guard guard(mutex_);
    return restarted_.contains(vm);
  }

  store::ScratchDirectory directory_;
  std::unique_ptr<store::Store> store_;
  std::vector<record::Host> inventory_;
  RecoveryPolicy policy_;
  FencedFeed* feed_ = nullptr;
  int pipe_[2] = {-1, -1};
  std::mutex mutex_;
  std::map<std::string, std::chrono::steady_clock::time_point> restarted_;
  std::set<std::string> accepted_;
  bool outdated_ = false;  // a look was used that was begun before a proof
  FakeCluster cluster_;
};

TEST_F(StreamTest, ALookThatHangsDelaysNoProof) {
  cluster_.add("h1", "a");
  protect("a", "h1");
  cluster_.at("h3").look_hangs = Milliseconds{2500};
  cluster_.at("h3").silent = true;
  Milliseconds took{0};
  run([&] {
    std::this_thread::sleep_for(Milliseconds{100});  // it is being looked, and for long
    cluster_.at("h3").look_hangs = Milliseconds{0};
    cluster_.at("h3").silent = false;
    const auto begun = std::chrono::steady_clock::now();
    fence("h1");
    until([&] { return restarted("a"); });
    took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begun);
  });
  EXPECT_LT(took, Milliseconds{1500});
}

TEST_F(StreamTest, ALookOfBeforeAProofIsNotUsedAfterIt) {
  cluster_.add("h1", "a");
  protect("a", "h1");
  cluster_.at("h3").look_hangs = Milliseconds{600};
  run([&] {
    std::this_thread::sleep_for(Milliseconds{100});
    cluster_.at("h3").look_hangs = Milliseconds{0};
    fence("h1");
    until([&] { return restarted("a"); });
    std::this_thread::sleep_for(Milliseconds{1200});
  });
  EXPECT_FALSE(outdated_);
}

TEST_F(StreamTest, AKeptOneWhoseStartHangsDelaysNoProofAndIsHeardOfInTheEnd) {
  cluster_.add("h1", "a");
  protect("a", "h1");
  cluster_.add("h2", "c", migrate::VmState::kShutoff);
  cluster_.at("h2").vms["uuid-c"].reason = "destroyed";
  cluster_.at("h2").start_hangs = Milliseconds{2500};
  protect("c", "h2");
  std::atomic<bool> begun = false;
  cluster_.on_define = [&](const std::string& host) { begun = begun || host == "h2"; };
  Milliseconds took{0};
  run([&] {
    until([&] { return begun.load(); });
    const auto before = std::chrono::steady_clock::now();
    fence("h1");
    until([&] { return restarted("a"); });
    took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - before);
  });
  EXPECT_LT(took, Milliseconds{1500});
  EXPECT_TRUE(restarted("c"));
  EXPECT_EQ(cluster_.whereabouts("c"), "h2");
  EXPECT_EQ(std::count(cluster_.started.begin(), cluster_.started.end(), "c@h2"), 1);
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

// What was left under way on a host that has died since is not waited for.
TEST_F(StreamTest, AKeptOneWhoseHostDiesInItsStartIsStartedElsewhere) {
  cluster_.add("h2", "c", migrate::VmState::kShutoff);
  cluster_.at("h2").vms["uuid-c"].reason = "destroyed";
  cluster_.at("h2").start_hangs = Milliseconds{1500};
  cluster_.at("h2").start_fails_late = true;
  protect("c", "h2");
  std::atomic<bool> begun = false;
  cluster_.on_define = [&](const std::string& host) { begun = begun || host == "h2"; };
  run([&] {
    until([&] { return begun.load(); });
    fence("h2");
    until([&] { return restarted("c"); });
  });
  EXPECT_NE(cluster_.whereabouts("c"), "h2(off)");
  EXPECT_TRUE(cluster_.ran_twice.empty());
}

}  // namespace
}  // namespace rackline::failover
