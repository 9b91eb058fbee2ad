// SPDX-License-Identifier: Apache-2.0
// The agents of many hosts in one process, for a watcher under load: each host beats once per interval, some
// die, and what the watcher says of them is read from stdin.
//
//     heartbeat watch --inventory hosts | beats --hosts 10000 --deaths 200 --seconds 60 --watcher 127.0.0.1
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <optional>
#include <random>
#include <unordered_map>

#include "base/secret.h"
#include "base/time.h"
#include "heartbeat/message.h"
#include "heartbeat/ticket.h"
#include "net/udp.h"

namespace rackline {
namespace {

constexpr std::uint16_t kPort = 7788;
constexpr int kBuffer = 32 << 20;

struct Host {
  Host(std::string its_name, const std::string& master)
      : name(std::move(its_name)), signer(heartbeat::host_key(master, name).key, "rackline") {}
  std::string name;
  heartbeat::Signer signer;
  std::uint64_t seq = 0;
  std::optional<Milliseconds> died;
  std::optional<Milliseconds> declared;
};

class Fleet {
 public:
  Fleet(std::size_t count, const std::string& key, const std::string& watcher)
      : watcher_(net::resolve(watcher, kPort)), socket_(net::resolve("127.0.0.1:0", 0), kBuffer) {
    for (std::size_t i = 0; i < count; ++i) {
      hosts_.emplace_back("sim" + std::to_string(i), key);
      index_.emplace(hosts_[i].name, i);
    }
  }

  void beat(std::size_t i) {
    Host& host = hosts_[i];
    if (host.died) return;
    heartbeat::Message beat;
    beat.type = heartbeat::Message::Type::kBeat;
    beat.libvirt_ok = beat.storage_ok = true;
    beat.incarnation = i + 1;
    beat.seq = ++host.seq;
    beat.nonce = nonce_;
    beat.name = host.name;
    send(beat, host);
  }

  // Acks bring the watcher's nonce; what it asks about others is answered as their agents would.
  void listen() {
    socket_.receive(1 << 16, [this](auto bytes, const auto&) {
      if (read_unproven(bytes, tag_, message_) != heartbeat::Reject::kNone) return;
      const auto helper = index_.find(message_.name);
      if (helper == index_.end() || !hosts_[helper->second].signer.signed_by(bytes, message_)) return;
      if (message_.type == heartbeat::Message::Type::kAck) nonce_ = message_.nonce;
      if (message_.type != heartbeat::Message::Type::kAsk) return;
      const auto other = heartbeat::introduction(message_.target, hosts_[helper->second].signer);
      const auto found = other ? index_.find(other->name) : index_.end();
      if (found == index_.end()) return;
      heartbeat::Message told;
      told.echo = message_.seq;
      told.nonce = message_.nonce;
      if (hosts_[found->second].died) {
        told.type = heartbeat::Message::Type::kTold;
        told.name = message_.name;
        told.target = other->name;
        send(told, hosts_[helper->second]);
      } else {
        told.type = heartbeat::Message::Type::kWitness;
        told.name = other->name;
        send(told, hosts_[found->second]);
      }
    });
  }

  void kill(std::size_t i) { hosts_[i].died = now(); }
  bool dead(std::size_t i) const { return hosts_[i].died.has_value(); }

  // What the watcher wrote; false when it has ended.
  bool read() {
    char bytes[1 << 16];
    ssize_t got;
    while ((got = ::read(STDIN_FILENO, bytes, sizeof bytes)) > 0) {
      text_.append(bytes, static_cast<std::size_t>(got));
    }
    std::size_t from = 0;
    for (std::size_t end; (end = text_.find('\n', from)) != std::string::npos; from = end + 1) {
      take(std::string_view(text_).substr(from, end - from));
    }
    text_.erase(0, from);
    return got != 0;
  }

  std::size_t ups() const { return ups_; }

  int report() const {
    std::vector<double> times;
    std::size_t deaths = 0;
    for (const Host& host : hosts_) {
      if (!host.died) continue;
      ++deaths;
      if (host.declared) times.push_back(static_cast<double>((*host.declared - *host.died).count()));
    }
    std::sort(times.begin(), times.end());
    const auto percentile = [&](double share) {
      return times.empty() ? -1.0
                           : times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
    };
    std::printf("deaths %zu detected %zu false %zu p50_ms %.0f p99_ms %.0f max_ms %.0f\n", deaths,
                times.size(), false_, percentile(0.5), percentile(0.99), percentile(1));
    return times.size() == deaths && false_ == 0 ? 0 : 1;
  }

  static Milliseconds now() { return system_clock().monotonic(); }

 private:
  void send(const heartbeat::Message& message, Host& host) {
    heartbeat::MessageBytes bytes;
    socket_.send(watcher_, {bytes.data(), host.signer.encode(message, bytes)});
  }

  void take(std::string_view line) {
    const auto is = [&](std::string_view kind) { return line.find(kind) != std::string_view::npos; };
    if (is("\"kind\":\"host_up\"")) ++ups_;
    if (!is("\"kind\":\"host_down\"")) return;
    constexpr std::string_view kHost = "\"host\":\"";
    const std::size_t from = line.find(kHost) + kHost.size();
    const auto found = index_.find(std::string(line.substr(from, line.find('"', from) - from)));
    if (found == index_.end() || !hosts_[found->second].died) {
      ++false_;
    } else if (!hosts_[found->second].declared) {
      hosts_[found->second].declared = now();
    }
  }

  const std::uint64_t tag_ = heartbeat::cluster_tag("rackline");
  net::Endpoint watcher_;
  net::UdpSocket socket_;
  std::vector<Host> hosts_;
  std::unordered_map<std::string, std::size_t> index_;
  std::uint64_t nonce_ = 0;
  heartbeat::Message message_;
  std::string text_;
  std::size_t ups_ = 0, false_ = 0;
};

int run(std::size_t count, std::size_t deaths, int seconds, const std::string& key,
        const std::string& watcher, std::uint64_t seed) {
  fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  Fleet fleet(count, key, watcher);
  std::mt19937_64 random(seed);
  constexpr int kSteps = 100;  // beats of a second are spread over it
  constexpr Milliseconds kStep{1000 / kSteps};
  constexpr int kWarm = 5, kQuiet = 8;  // seconds before the first death, and after the last one
  Milliseconds next = Fleet::now();
  for (int step = 0; step < (kWarm + seconds + kQuiet) * kSteps; ++step) {
    for (std::size_t i = static_cast<std::size_t>(step % kSteps); i < count; i += kSteps) fleet.beat(i);
    const bool dying = step >= kWarm * kSteps && step < (kWarm + seconds) * kSteps;
    const auto due = [&](int at) {
      return deaths * static_cast<std::size_t>(at - kWarm * kSteps) /
             static_cast<std::size_t>(seconds * kSteps);
    };
    for (std::size_t k = dying ? due(step) : 0; dying && k < due(step + 1); ++k) {
      std::size_t i = random() % count;
      while (fleet.dead(i)) i = random() % count;
      fleet.kill(i);
    }
    next += kStep;
    for (Milliseconds left; (left = next - Fleet::now()) > Milliseconds{0};) {
      fleet.listen();
      if (!fleet.read()) break;
      poll(nullptr, 0, static_cast<int>(std::min(left, Milliseconds{2}).count()));
    }
    fleet.listen();
  }
  fleet.read();
  return fleet.report();
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  CLI::App app{"simulated agents for the bench of heartbeat watch"};
  std::size_t hosts = 10'000, deaths = 200;
  int seconds = 60;
  std::string key_file, watcher = "127.0.0.1";
  std::uint64_t seed = 1;
  app.add_option("--hosts", hosts);
  app.add_option("--deaths", deaths);
  app.add_option("--seconds", seconds);
  app.add_option("--key-file", key_file)->required();
  app.add_option("--watcher", watcher);
  app.add_option("--seed", seed);
  CLI11_PARSE(app, argc, argv);
  return rackline::run(hosts, deaths, seconds, rackline::read_secret(key_file), watcher, seed);
}
