// SPDX-License-Identifier: Apache-2.0
// What an agent does to its own host when it is cut off. In processes of their own, since a stop that was
// asked for stays asked for.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "base/interrupt.h"
#include "fence_fake.h"
#include "heartbeat/agent.h"
#include "heartbeat/fence_mark_file.h"
#include "heartbeat/key_file.h"
#include "heartbeat/slot.h"

namespace rackline::heartbeat {
namespace {

constexpr Milliseconds kInterval{5};
constexpr int kSelfFence = 10;  // beats
constexpr int kTurns = 4 * kSelfFence;

// The agent's threads outlive it: they may hang in the kernel.
fence::SharedClock& clock_of_the_threads() {
  static fence::SharedClock clock;
  return clock;
}

// A host with one virtual server, and no watcher that answers. Each beat takes one interval of simulated
// time.
class CutOff {
 public:
  explicit CutOff(const std::string& slots) {
    options.host = "h1";
    options.key = std::string(64, 'k');
    options.watchers = {net::resolve("127.0.0.1:9", 0)};
    options.interval = kInterval;
    options.self_fence = kSelfFence * kInterval;
    options.slots = scratch_.path() / slots;
    options.uri = "test:///default";
    options.qemu_run_directory = scratch_.path();
    emulator_ = fork();
    if (emulator_ == 0) {
      execl("/bin/sleep", "qemu-system-x86_64 -name guest=db1,debug-threads=on", "1000", nullptr);
      _exit(1);
    }
    std::ofstream(scratch_.path() / "db1.pid") << emulator_;
    await([this] { return !qemu_processes(scratch_.path()).empty(); });
  }
  ~CutOff() {
    kill(emulator_, SIGKILL);
    waitpid(emulator_, nullptr, 0);
  }
  CutOff(const CutOff&) = delete;
  CutOff& operator=(const CutOff&) = delete;

  // Runs the agent for kTurns beats; `before_each` of them.
  void run(const std::function<void()>& before_each) {
    interrupt::install();
    Agent agent(options, clock_,
                {.self_fenced =
                     [this](const auto& record) {
                       records.push_back(record);
                       after = turns;
                     },
                 .warn = [](const std::string&) {},
                 .turn =
                     [&] {
                       before_each();
                       clock_.advance(step);
                       if (++turns == kTurns) interrupt::request(SIGTERM);
                     }});
    agent.run();
  }
  static void await(const std::function<bool()>& holds) {
    for (int i = 0; i < 10'000 && !holds(); ++i) std::this_thread::sleep_for(Milliseconds{1});
  }
  bool server_runs() const { return !qemu_processes(options.qemu_run_directory).empty(); }

  AgentOptions options;
  std::vector<record::HostSelfFenced> records;
  int turns = 0, after = 0;
  Milliseconds step = kInterval;  // simulated time that a turn takes

 private:
  store::ScratchDirectory scratch_;
  fence::SharedClock& clock_ = clock_of_the_threads();
  pid_t emulator_ = 0;
};

// Rule 3: what others may take for dead has stopped its virtual servers by then.
TEST(AgentTest, CutOffFromBothChannelsItStopsItsVirtualServers) {
  const auto cut_off = [] {
    {
      CutOff host("no-such-directory");
      EXPECT_TRUE(host.server_runs());
      host.run([] {});
      EXPECT_FALSE(host.server_runs());
      EXPECT_EQ(host.records.size(), 1U) << "and once is enough";
      if (!host.records.empty()) {
        EXPECT_TRUE(host.records[0].complete);
        EXPECT_EQ(host.records[0].killed, std::vector<std::string>{"db1"});
      }
      EXPECT_GE(host.after, kSelfFence) << "neither before its time";
      EXPECT_LE(host.after, kSelfFence + 1) << "nor after it";
    }
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(cut_off(), testing::ExitedWithCode(0), "");
}

TEST(QemuProcesses, AreFoundWhateverTheirNameIs) {
  store::ScratchDirectory scratch;
  const pid_t emulator = fork();
  if (emulator == 0) {
    execl("/bin/sleep", "qemu-system-x86_64 -name guest=a,,b,debug-threads=on", "1000", nullptr);
    _exit(1);
  }
  std::ofstream(scratch.path() / "a,b.pid") << emulator;
  std::ofstream(scratch.path() / "a.pid") << getpid();
  std::vector<QemuProcess> found;
  CutOff::await([&] { return !(found = qemu_processes(scratch.path())).empty(); });
  kill(emulator, SIGKILL);
  waitpid(emulator, nullptr, 0);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].vm, "a,b");
}

// With one channel only there is no telling a cut network from a dead watcher.
TEST(AgentTest, WithOneChannelLeftItsVirtualServersRunOn) {
  const auto half_cut_off = [] {
    {
      CutOff host("");
      std::vector<std::uint8_t> last;
      host.run([&] {
        CutOff::await([&] { return read_slot(host.options.slots, "h1") != last; });
        last = read_slot(host.options.slots, "h1");
      });
      EXPECT_EQ(host.turns, kTurns);
      EXPECT_TRUE(host.records.empty());
      EXPECT_TRUE(host.server_runs());
    }
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(half_cut_off(), testing::ExitedWithCode(0), "");
}

// A watcher that hears the beats, and of which the answers come when the test wants it.
class SlowWatcher {
 public:
  explicit SlowWatcher(CutOff& host) : signer_(host.options.key, "") {
    host.options.cluster = "";
    host.options.watchers = {socket_.local()};
  }
  void hear() {
    socket_.receive(64, [this](auto bytes, const auto& sender) {
      Message beat;
      if (signer_.decode(bytes, beat) == Reject::kNone) beats.push_back(beat);
      from_ = sender;
    });
  }
  void acknowledge(const Message& beat) {
    Message ack;
    ack.type = Message::Type::kAck;
    ack.nonce = 1;
    ack.seq = beat.incarnation;
    ack.echo = beat.seq;
    ack.name = beat.name;
    ack.vms = cluster_size;
    ack.target = another;
    MessageBytes bytes;
    socket_.send(from_, {bytes.data(), signer_.encode(ack, bytes)});
  }

  std::vector<Message> beats;
  std::uint16_t cluster_size = 0;
  std::string another;

 private:
  net::UdpSocket socket_{net::resolve("127.0.0.1:0", 0), 1 << 20};
  Signer signer_;
  net::Endpoint from_;
};

// The watcher counts the silence from the last beat that it heard: so must the agent, however late it learns
// that it was heard.
TEST(AgentTest, AnAnswerThatWasLongOnTheWayProvesNothingAboutNow) {
  const auto late = [] {
    {
      CutOff host("no-such-directory");
      SlowWatcher watcher(host);
      host.run([&] {
        watcher.hear();
        if (host.turns == kSelfFence - 2) watcher.acknowledge(watcher.beats.at(1));
      });
      EXPECT_FALSE(host.server_runs());
      // One beat more goes out at once to a watcher that is new.
      EXPECT_GE(host.after, kSelfFence + 1);
      EXPECT_LE(host.after, kSelfFence + 3) << "after the beat that was heard";
    }
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(late(), testing::ExitedWithCode(0), "");
}

TEST(AgentTest, AHostThatStandsStillAgainAndAgainStopsItsServersAllTheSame) {
  const auto stumbling = [] {
    {
      CutOff host("no-such-directory");
      host.step = 3 * kInterval;
      host.run([] {});
      EXPECT_FALSE(host.server_runs());
      EXPECT_LE(host.after, kSelfFence / 3 + 3);
    }
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(stumbling(), testing::ExitedWithCode(0), "");
}

// Rule 23: of `size` hosts it reaches one other, which answers its questions.
void expect_servers_run(bool expected, std::uint16_t size, bool fenced_by_self) {
  CutOff host("no-such-directory");
  SlowWatcher watcher(host);
  host.options.fenced_by_self = fenced_by_self;
  net::UdpSocket other(net::resolve("127.0.0.1:0", 0), 1 << 20);
  Signer signer(host.options.key, "");
  watcher.cluster_size = size;
  watcher.another = other.local().text() + " h2";
  host.run([&] {
    watcher.hear();
    if (host.turns == 1) watcher.acknowledge(watcher.beats.at(0));
    other.receive(64, [&](auto bytes, const auto& from) {
      Message ping;
      if (signer.decode(bytes, ping) != Reject::kNone || ping.type != Message::Type::kPing) return;
      Message pong;
      pong.type = Message::Type::kPong;
      pong.echo = ping.seq;
      pong.name = "h2";
      MessageBytes out;
      other.send(from, {out.data(), signer.encode(pong, out)});
    });
  });
  EXPECT_EQ(host.server_runs(), expected);
}

TEST(AgentTest, OneThatHearsMostOfItsPeersIsNotCutOff) {
  const auto heard = [] {
    expect_servers_run(true, 3, false);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(heard(), testing::ExitedWithCode(0), "");
}

TEST(AgentTest, InTheSmallerPartOfItsClusterItStopsItsServers) {
  const auto smaller = [] {
    expect_servers_run(false, 4, false);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(smaller(), testing::ExitedWithCode(0), "");
}

TEST(AgentTest, FencedBySelfItStopsItsServersWhomeverItHears) {
  const auto by_self = [] {
    expect_servers_run(false, 3, true);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(by_self(), testing::ExitedWithCode(0), "");
}

// Fence counts upon what is promised.
TEST(AgentTest, WithOneChannelItDoesNotPromiseToFenceItself) {
  const auto promises = [] {
    for (const char* slots : {"", "no-such-directory"}) {
      CutOff host(slots);
      host.options.fenced_by_self = true;
      if (*slots == '\0') host.options.slots.clear();
      SlowWatcher watcher(host);
      pid_t run = fork();
      if (run == 0) {
        host.run([&] { watcher.hear(); });
        watcher.hear();
        const auto promised = watcher.beats.at(0).self_fence_ms;
        _exit((promised > 0) == (*slots != '\0') ? 0 : 1);
      }
      int status = 1;
      waitpid(run, &status, 0);
      EXPECT_EQ(status, 0) << "slots: " << slots;
    }
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(promises(), testing::ExitedWithCode(0), "");
}

// Whether the servers run on when a watcher that has the key of `whose` says that h1 counts as off, or, with
// nothing else to be heard, that it has heard h1.
bool run_on(const std::string& whose, bool fenced) {
  const std::string master(64, 'm');
  CutOff host(fenced ? "" : "no-such-directory");
  host.options.key = host_key_text(master, "h1");
  net::UdpSocket socket(net::resolve("127.0.0.1:0", 0), 1 << 20);
  host.options.watchers = {socket.local()};
  Signer signer(host_key(master, whose).key, "");
  std::vector<std::uint8_t> last;
  host.run([&] {
    socket.receive(64, [&](auto bytes, const auto& from) {
      Message beat;
      if (read_unproven(bytes, cluster_tag(""), beat) != Reject::kNone) return;
      Message ack;
      ack.type = Message::Type::kAck;
      ack.nonce = 1;
      ack.seq = beat.incarnation;
      ack.echo = beat.seq;
      ack.name = "h1";
      ack.fenced = fenced;
      MessageBytes out;
      socket.send(from, {out.data(), signer.encode(ack, out)});
    });
    if (!fenced) return;
    CutOff::await([&] { return read_slot(host.options.slots, "h1") != last; });
    last = read_slot(host.options.slots, "h1");
  });
  return host.server_runs();
}

void expect_run_on(const std::string& whose, bool fenced, bool expected) {
  const auto outcome = [&] {
    EXPECT_EQ(run_on(whose, fenced), expected);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(outcome(), testing::ExitedWithCode(0), "");
}

TEST(AgentTest, IsNotToldThatItCountsAsOffByAnotherHost) {
  expect_run_on("h2", true, true);
}
TEST(AgentTest, IsToldThatItCountsAsOffByItsWatcher) {
  expect_run_on("h1", true, false);
}
TEST(AgentTest, IsNotKeptRunningByAnotherHost) {
  expect_run_on("h2", false, false);
}
TEST(AgentTest, IsKeptRunningByItsWatcher) {
  expect_run_on("h1", false, true);
}

// Rule 21: nobody reaches it over the network, and on the storage it reads that it counts as fenced. `answer`
// makes a mark of what stands in its slot, signed with the key of `whose`; it has two, and `master` is the
// older one of them.
void expect_mark_stops(bool expected, const std::function<FenceMarkText(const Message&)>& answer,
                       const std::string& whose = "h1") {
  const std::string master(64, 'm'), next(64, 'n');
  CutOff host("");
  host.options.cluster = "";
  host.options.key = host_key_text(next + "\nprevious " + master, "h1");
  Signer signer(host_key(next, "h1").key, "");
  std::vector<std::uint8_t> last;
  host.run([&] {
    CutOff::await([&] { return read_slot(host.options.slots, "h1") != last; });
    last = read_slot(host.options.slots, "h1");
    Message slot;
    const auto first = std::span(last).first(message_length(last));
    if (signer.decode(first, slot) != Reject::kNone) return;
    write_fence_mark(host.options.slots, "h1", sealed(answer(slot), "", host_key(master, whose).key.view()));
  });
  EXPECT_EQ(host.server_runs(), !expected);
  // Here nobody keeps the mark while they are stopped, and it gets old.
  EXPECT_EQ(host.records.empty(), !expected);
  for (const auto& record : host.records)
    EXPECT_EQ(record.reason, "the mark on the storage says that this host counts as off");
}

TEST(AgentTest, AMarkOnTheStorageThatAnswersItStopsItsServers) {
  const auto marked = [] {
    expect_mark_stops(true, [](const Message& slot) {
      return FenceMarkText{"h1", "f1", slot.incarnation, slot.seq};
    });
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(marked(), testing::ExitedWithCode(0), "");
}

TEST(AgentTest, AMarkThatIsSignedWithTheKeyOfAnotherHostStopsNothing) {
  const auto other = [] {
    expect_mark_stops(
        false,
        [](const Message& slot) {
          return FenceMarkText{"h1", "f1", slot.incarnation, slot.seq};
        },
        "h2");
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(other(), testing::ExitedWithCode(0), "");
}

TEST(AgentTest, AMarkFromBeforeStopsNothing) {
  const auto old = [] {
    expect_mark_stops(false, [](const Message& slot) {
      return FenceMarkText{"h1", "f1", slot.incarnation + 1, slot.seq};
    });
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(old(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace rackline::heartbeat
