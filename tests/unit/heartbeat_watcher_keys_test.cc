// SPDX-License-Identifier: Apache-2.0
// A watcher on the loopback, and a host that dies: what others say about it. In a process of its own, since a
// stop that was asked for stays asked for, and threads wait for the libvirtd of the dead host.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "base/interrupt.h"
#include "heartbeat/host_key.h"
#include "heartbeat/key_file.h"
#include "heartbeat/ticket.h"
#include "heartbeat/watcher.h"
#include "net/tcp.h"

namespace rackline::heartbeat {
namespace {

const std::string kMaster(64, 'm');

net::Endpoint loopback() {
  return net::resolve("127.0.0.1:0", 0);
}

// A TCP port on which nobody ever answers: the kernel takes the connection.
class Mute {
 public:
  Mute() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto at = loopback();
    bind(fd_.get(), reinterpret_cast<const sockaddr*>(&at.address), at.length);
    listen(fd_.get(), 64);
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&at.address), &at.length);
    uri = "qemu+tcp://" + at.text() + "/system";
  }
  std::string uri;

 private:
  Fd fd_;
};

class Site {
 public:
  Site() {
    for (int i = 1; i <= 3; ++i) {
      const std::string name = "h" + std::to_string(i);
      hosts_.push_back({name, Signer(host_key(kMaster, name).key, "c"), net::UdpSocket(loopback(), 1 << 20)});
    }
  }

  // Until h2 is called dead, or something else that is no suspicion. `reply` of h1 to what is asked about h2.
  std::optional<HostVerdict> verdict_on_h2(const std::function<void(const Message& ask)>& reply) {
    interrupt::install();
    WatcherOptions options;
    options.listen = loopback();
    {
      const net::UdpSocket free(options.listen, 1 << 16);
      options.listen = free.local();
    }
    for (const auto& host : hosts_) {
      options.hosts.emplace_back();
      options.hosts.back().host = host.name;
      options.hosts.back().uri = mute_.uri;
    }
    options.key = kMaster;
    options.cluster = "c";
    options.policy.detector.interval = Milliseconds{100};
    options.policy.detector.suspect = Milliseconds{1000};
    options.policy.detector.dead = Milliseconds{2000};
    options.policy.start_grace = Milliseconds{3000};
    options.policy.answer = Milliseconds{500};
    std::optional<HostVerdict> verdict;
    const auto& clock = system_clock();
    const auto began = clock.monotonic();
    std::atomic<bool> over = false;
    // The agents, beside the watcher.
    std::thread agents([&] {
      while (!over) {
        for (auto& host : hosts_) hear(host, reply);
        const bool h2_lives = clock.monotonic() - began < Milliseconds{2500};
        for (auto& host : hosts_) {
          if (host.name != "h2" || h2_lives) beat(host, options.listen);
        }
        std::this_thread::sleep_for(Milliseconds{50});
      }
    });
    Watcher work(
        options, nullptr, clock,
        {.transition =
             [&](const Transition& t) {
               const auto kind = t.verdict;
               if (t.record.host != "h2" || kind == HostVerdict::kUp || kind == HostVerdict::kSuspect) return;
               verdict = kind;
               interrupt::request(SIGTERM);
             },
         .doubt = [](const auto&) {},
         .seen = nullptr,
         .warn = [](const std::string&) {},
         .turn = [&] { return clock.monotonic() - began < std::chrono::seconds{20}; },
         .health = nullptr});
    work.run();
    over = true;
    agents.join();
    return verdict;
  }

  // As h1, with the key of `whose`.
  void say(const net::Endpoint& to, const Message& message, Signer& signer) {
    MessageBytes bytes;
    hosts_[0].socket.send(to, {bytes.data(), signer.encode(message, bytes)});
  }
  Signer& key(std::size_t host) { return hosts_[host].signer; }
  net::Endpoint watcher;

 private:
  struct Host {
    std::string name;
    Signer signer;
    net::UdpSocket socket;
    std::uint64_t nonce = 0, seq = 0;
  };
  void beat(Host& host, const net::Endpoint& to) {
    watcher = to;
    Message message;
    message.name = host.name;
    message.incarnation = 1;
    message.seq = ++host.seq;
    message.nonce = host.nonce;
    message.libvirt_ok = message.storage_ok = true;
    MessageBytes bytes;
    host.socket.send(to, {bytes.data(), host.signer.encode(message, bytes)});
  }
  void hear(Host& host, const std::function<void(const Message& ask)>& reply) {
    host.socket.receive(64, [&](auto bytes, const auto&) {
      Message message;
      if (host.signer.decode(bytes, message) != Reject::kNone) return;
      if (message.type == Message::Type::kAck) host.nonce = message.nonce;
      if (message.type == Message::Type::kAsk && host.name == "h1") reply(message);
    });
  }
  Mute mute_;
  std::vector<Host> hosts_;
};

void expect_verdict(HostVerdict expected, const std::function<void(Site&, const Message&)>& reply) {
  const auto outcome = [&] {
    Site site;
    const auto verdict = site.verdict_on_h2([&](const Message& ask) { reply(site, ask); });
    EXPECT_EQ(verdict, expected);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(outcome(), testing::ExitedWithCode(0), "");
}

Message answer_to(const Message& ask, Message::Type type) {
  Message answer;
  answer.type = type;
  answer.nonce = ask.nonce;
  answer.echo = ask.seq;
  answer.reached = true;
  return answer;
}

// Rule 1. One that lies says that it reaches a dead host, and forges that host's own word.
TEST(WatcherTest, DoesNotTakeAHelpersWordThatADeadHostLives) {
  expect_verdict(HostVerdict::kDown, [](Site& site, const Message& ask) {
    Message witness = answer_to(ask, Message::Type::kWitness);
    for (const char* name : {"h2", "h1"}) {
      witness.name = name;
      site.say(site.watcher, witness, site.key(0));
    }
    Message told = answer_to(ask, Message::Type::kTold);
    told.name = "h1";
    told.target = "h2";
    site.say(site.watcher, told, site.key(0));
  });
}

TEST(WatcherTest, TakesTheHostsOwnWordThroughAHelper) {
  expect_verdict(HostVerdict::kPartitioned, [](Site& site, const Message& ask) {
    Message witness = answer_to(ask, Message::Type::kWitness);
    witness.name = "h2";
    site.say(site.watcher, witness, site.key(1));
  });
}

}  // namespace
}  // namespace rackline::heartbeat
