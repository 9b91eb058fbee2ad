// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "failover_nights_time.h"

namespace rackline::failover::nights {

constexpr Milliseconds kForever{1'000'000'000};

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  int pick(int least, int most) {
    // Not std::uniform_int_distribution, which is another one in each library.
    return least + static_cast<int>(random_() % static_cast<unsigned>(most - least + 1));
  }
  bool one_in(int number) { return pick(1, number) == 1; }
  Milliseconds time(int least_ms, int most_ms) { return Milliseconds{pick(least_ms, most_ms)}; }
  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[static_cast<std::size_t>(pick(0, static_cast<int>(all.size()) - 1))];
  }

 private:
  std::mt19937 random_;
};

// A machine, with what libvirtd knows and the emulators that run. A fault lasts until its time.
struct Machine {
  std::string name;
  bool power = true;
  Milliseconds powered{0}, booted{0};  // since when, and from when on it works
  Milliseconds frozen{0}, libvirt_hangs{0}, libvirt_gone{0};
  Milliseconds cut_from_watcher{0}, cut_from_storage{0}, cut_from_peers{0};
  bool hung = false;  // its kernel, until the power is cut
  std::int64_t memory_gib = 16;
  std::set<std::string> running;
  std::map<std::string, std::string> defined;  // and how it ended
  int hanging_starts = 0, failing_starts = 0;
};

// A controller that switches a machine, not always the one that it should.
struct Controller {
  std::string switches;
  Milliseconds slow{20}, late{0}, deaf{0};  // deaf: until then
  int failing = 0;                          // percent of the calls
  bool liar = false;                        // it says yes, and does nothing
};

struct Server {
  std::string name, uuid;
  std::int64_t priority = 0;
  Milliseconds locked{0};  // its disk, by a host that is gone
  std::string last{};      // where it ran last
};

// The truth, and who has hurt it. Only the driver changes it, and the engine's threads while the driver
// waits for them.
class World {
 public:
  World(NightTime& its_time, unsigned seed) : time(its_time), dice(seed) {}

  NightTime& time;
  Dice dice;
  std::map<std::string, Machine> machines;
  std::map<std::string, Controller> controllers;  // by address
  std::map<std::string, Server> servers;
  Milliseconds storage_paused{0}, watcher_cut{0};
  bool locks_outlive = false;
  // A controller switches another machine and nobody could know: the only defence is the call when the
  // machine that counts as fenced shows life.
  bool undetectable = false;
  int tasks = 0;                    // that were given to fence engines
  std::vector<std::string> faults;  // of the programs
  std::string story;                // what happened, for people

  Milliseconds now() const { return time.monotonic(); }
  void tell(const std::string& text) {
    story += std::to_string(now().count() / 1000) + "." + std::to_string(now().count() % 1000 / 100) + " " +
             text + "\n";
  }
  void fault(const std::string& text) {
    tell("FAULT " + text);
    faults.push_back(text);
  }

  bool works(const Machine& m) const { return m.power && now() >= m.booted && now() >= m.frozen && !m.hung; }
  bool reached_by_watcher(const Machine& m) const {
    return works(m) && now() >= m.cut_from_watcher && now() >= watcher_cut;
  }
  bool reach_each_other(const Machine& a, const Machine& b) const {
    return works(a) && works(b) && now() >= a.cut_from_peers && now() >= b.cut_from_peers;
  }
  bool has_storage(const Machine& m) const {
    return works(m) && now() >= m.cut_from_storage && now() >= storage_paused;
  }
  bool libvirt_answers(const Machine& m) const {
    return reached_by_watcher(m) && now() >= m.libvirt_hangs && now() >= m.libvirt_gone;
  }
  std::vector<std::string> places_of(const std::string& server) const {
    std::vector<std::string> places;
    for (const auto& [name, machine] : machines) {
      if (machine.running.contains(server)) places.push_back(name);
    }
    return places;
  }

  void cut_power(Machine& m, const std::string& why) {
    if (!m.power) return;
    tell(m.name + " loses its power: " + why);
    m.power = m.hung = false;
    m.frozen = Milliseconds{0};
    for (const auto& server : m.running) {
      m.defined[server] = "unknown";
      if (locks_outlive) servers.at(server).locked = now() + dice.time(20'000, 60'000);
    }
    m.running.clear();
  }
  void give_power(Machine& m) {
    if (m.power) return;
    m.power = true;
    m.powered = now();
    m.booted = now() + dice.time(15'000, 60'000);
    m.libvirt_hangs = m.libvirt_gone = Milliseconds{0};
    tell(m.name + " has power again");
  }
  void runs_now(Machine& m, const std::string& server) {
    m.running.insert(server);
    servers.at(server).last = m.name;
    tell(server + " runs on " + m.name);
    const auto places = places_of(server);
    if (places.size() < 2) return;
    std::string all;
    for (const auto& place : places) all += " " + place;
    if (undetectable) return tell("TWICE, undetectable: " + server + all);
    fault(server + " runs twice:" + all);
  }
  void ends(Machine& m, const std::string& server, const std::string& how) {
    if (m.running.erase(server) == 0) return;
    m.defined[server] = how;
    tell(server + " ends on " + m.name + ": " + how);
  }

  // A live migration, as it looks when it is over.
  void moves(Machine& from, Machine& to, const std::string& server) {
    if (!libvirt_answers(from) || !libvirt_answers(to) || !from.running.contains(server)) return;
    tell(server + " is moved from " + from.name + " to " + to.name);
    from.running.erase(server);
    if (dice.one_in(2))
      from.defined[server] = "migrated";
    else
      from.defined.erase(server);
    to.defined[server] = "unknown";
    runs_now(to, server);
  }

  // Commands of controllers that take their time.
  struct Later {
    Milliseconds at;
    std::string machine;
    bool on;
  };
  std::vector<Later> later;
  void step() {
    for (std::size_t i = 0; i < later.size();) {
      if (now() < later[i].at) {
        ++i;
        continue;
      }
      const Later what = later[i];
      later.erase(later.begin() + static_cast<std::ptrdiff_t>(i));
      Machine& m = machines.at(what.machine);
      what.on ? give_power(m) : cut_power(m, "its controller");
    }
  }
};

}  // namespace rackline::failover::nights
