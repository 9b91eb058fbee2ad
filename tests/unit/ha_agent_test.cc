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
#include "ha/agent.h"
#include "ha/slot.h"
#include "ha_fence_fake.h"

namespace rackline::ha {
namespace {

constexpr Milliseconds kInterval{5};
constexpr int kSelfFence = 10;  // beats
constexpr int kTurns = 4 * kSelfFence;

// The agent's threads outlive it: they may hang in the kernel.
SharedClock& clock_of_the_threads() {
  static SharedClock clock;
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
                       clock_.advance(kInterval);
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

 private:
  store::ScratchDirectory scratch_;
  SharedClock& clock_ = clock_of_the_threads();
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

}  // namespace
}  // namespace rackline::ha
