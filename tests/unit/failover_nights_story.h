// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "failover_nights_world.h"

namespace rackline::failover::nights {

// What happens in one night, drawn from its seed: when, and what it does to the world.
class Story {
 public:
  struct Event {
    Milliseconds at;
    std::function<void()> happens;
  };
  struct Pipes {
    std::function<void(Milliseconds)> away;    // all three programs are gone for so long
    std::function<void(int)> killed_by_write;  // by their write of that number, and started again
    std::function<void(const std::string& host, bool on)> maintenance;
    std::function<bool(const std::string& host)> serves;
  };
  static constexpr Milliseconds kBegins{40'000}, kEnds{300'000};

  Story(World& world, Pipes pipes) : world_(world), dice_(world.dice), pipes_(std::move(pipes)) {
    for (const auto& [name, machine] : world.machines) hosts_.push_back(name);
    for (const auto& [name, server] : world.servers) servers_.push_back(name);
    for (int number = dice_.pick(2, 6); number > 0; --number) draw();
    std::sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) { return a.at < b.at; });
  }

  void step() {
    while (next_ < events_.size() && world_.now() >= events_[next_].at) events_[next_++].happens();
  }

  // Every fault that can end has ended: what hung for ever still hangs, and what is off is off.
  void heal() {
    world_.tell("the night is over");
    const auto now = world_.now();
    for (auto* until : {&world_.storage_paused, &world_.watcher_cut}) *until = std::min(*until, now);
    for (auto& [name, m] : world_.machines) {
      for (auto* until : {&m.frozen, &m.libvirt_hangs, &m.libvirt_gone, &m.cut_from_watcher,
                          &m.cut_from_storage, &m.cut_from_peers})
        *until = std::min(*until, now);
    }
    for (auto& [address, controller] : world_.controllers) {
      if (controller.deaf < kForever) controller.deaf = std::min(controller.deaf, now);
    }
  }

 private:
  Machine& any_host() { return world_.machines.at(dice_.of(hosts_)); }
  Milliseconds until(int least_ms, int most_ms) { return world_.now() + dice_.time(least_ms, most_ms); }
  void at(Milliseconds when, std::function<void()> happens) { events_.push_back({when, std::move(happens)}); }

  void draw() {
    const auto when = kBegins + dice_.time(0, static_cast<int>((kEnds - kBegins).count()) - 60'000);
    const auto of = [this, when](const char* what, std::function<void(Machine&)> does) {
      at(when, [this, what, does = std::move(does)] {
        Machine& m = any_host();
        world_.tell(m.name + ": " + what);
        does(m);
      });
    };
    switch (dice_.pick(1, 22)) {
      case 1:
        return of("its power supply dies", [this](Machine& m) { world_.cut_power(m, "it has died"); });
      case 2:
        return of("its rack loses its power, the controller too", [this](Machine& m) {
          world_.cut_power(m, "with its controller");
          for (auto& [address, controller] : world_.controllers) {
            if (controller.switches == m.name) controller.deaf = kForever;
          }
        });
      case 3:
      case 4:
        return of("its kernel hangs for ever", [](Machine& m) { m.hung = m.power; });
      case 5:
      case 6:
        return of("it stands still", [this](Machine& m) { m.frozen = until(500, 60'000); });
      case 7:
        return of("it is cut off from the watcher", [this](Machine& m) {
          m.cut_from_watcher = until(1000, 120'000);
          if (dice_.one_in(2)) m.cut_from_peers = m.cut_from_watcher;
        });
      case 8:
        return of("it is cut off from all", [this](Machine& m) {
          m.cut_from_watcher = m.cut_from_peers = m.cut_from_storage = until(1000, 120'000);
        });
      case 9:
        return of("it loses the storage", [this](Machine& m) { m.cut_from_storage = until(1000, 60'000); });
      case 10:
        return at(when, [this] {
          world_.tell("the storage pauses");
          world_.storage_paused = until(2000, 60'000);
        });
      case 11:
        return at(when, [this] {
          world_.tell("the storage pauses, and the watcher is cut off");
          world_.storage_paused = world_.watcher_cut = until(10'000, 60'000);
        });
      case 12:
        return site_outage(when);
      case 13:
        return at(when, [this] {
          world_.tell("the pipeline is away");
          pipes_.away(dice_.time(2000, 120'000));
        });
      case 14:
        return at(when, [this] { pipes_.killed_by_write(dice_.pick(1, 12)); });
      case 15:
        return of("it starts anew", [this](Machine& m) {
          world_.cut_power(m, "a reset");
          world_.give_power(m);
        });
      case 16:
        return at(when, [this] {
          const auto& server = dice_.of(servers_);
          for (const auto& place : world_.places_of(server))
            world_.ends(world_.machines.at(place), server, "crashed");
        });
      case 17:
        return of("its libvirtd is not well", [this](Machine& m) {
          (dice_.one_in(2) ? m.libvirt_hangs : m.libvirt_gone) = until(2000, 60'000);
        });
      case 18:
        return of("starts hang or fail there", [this](Machine& m) {
          (dice_.one_in(2) ? m.hanging_starts : m.failing_starts) = dice_.pick(1, 3);
        });
      case 19:
        return at(when, [this] {
          world_.tell("the controllers are deaf");
          for (auto& [address, controller] : world_.controllers) {
            if (dice_.one_in(2)) controller.deaf = std::max(controller.deaf, until(5000, 120'000));
          }
        });
      case 20:
        return in_maintenance(when);
      case 21:
        return at(when, [this] {
          const auto& server = dice_.of(servers_);
          Machine& to = any_host();
          const auto places = world_.places_of(server);
          if (places.size() == 1 && places.front() != to.name && pipes_.serves(to.name))
            world_.moves(world_.machines.at(places.front()), to, server);
        });
      default:
        return two_deaths(when);
    }
  }

  void two_deaths(Milliseconds when) {
    for (int i = 0; i < 2; ++i) {
      at(when + dice_.time(0, 4000), [this] {
        Machine& m = any_host();
        world_.tell(m.name + ": one of two deaths");
        dice_.one_in(2) ? world_.cut_power(m, "it has died") : void(m.hung = m.power);
      });
    }
  }

  // Announced, and then it is silent with all that runs there.
  void in_maintenance(Milliseconds when) {
    const auto& host = dice_.of(hosts_);
    const auto lasts = dice_.time(20'000, 90'000);
    at(when, [this, host, lasts] {
      Machine& m = world_.machines.at(host);
      world_.tell(host + " is in maintenance");
      pipes_.maintenance(host, true);
      m.cut_from_watcher = m.cut_from_peers = world_.now() + lasts;
      if (dice_.one_in(2)) m.cut_from_storage = m.cut_from_watcher;
    });
    at(when + lasts + Milliseconds{5000}, [this, host] { pipes_.maintenance(host, false); });
  }

  void site_outage(Milliseconds when) {
    const bool with_pipeline = dice_.one_in(2);
    const auto lasts = dice_.time(5000, 60'000);
    at(when, [this, with_pipeline, lasts] {
      world_.tell("the site loses its power");
      if (with_pipeline) pipes_.away(lasts + dice_.time(0, 60'000));
      for (auto& [name, m] : world_.machines) world_.cut_power(m, "the site");
      for (auto& [address, controller] : world_.controllers)
        controller.deaf = std::max(controller.deaf, world_.now() + lasts);
      world_.storage_paused = std::max(world_.storage_paused, world_.now() + lasts);
    });
    at(when + lasts, [this] {
      for (auto& [name, m] : world_.machines) world_.give_power(m);
    });
  }

  World& world_;
  Dice& dice_;
  Pipes pipes_;
  std::vector<std::string> hosts_, servers_;
  std::vector<Event> events_;
  std::size_t next_ = 0;
};

}  // namespace rackline::failover::nights
