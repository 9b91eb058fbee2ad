// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "cluster/disarm.h"
#include "failover/failback.h"
#include "failover/protection.h"
#include "failover_night.h"

namespace rackline::failover::night {

inline std::vector<std::string> words(const std::string& text, char separator = ' ') {
  std::vector<std::string> all;
  std::stringstream stream(text);
  for (std::string word; std::getline(stream, word, separator);) {
    if (!word.empty()) all.push_back(word);
  }
  return all;
}

// Puts virtual servers into a night: "NAME@HOST[:OPTION]..." each, with the options
//   p=N priority, mem=N GiB, after=A+B, apart=GROUP, together=GROUP, prefer=A+B (hosts), only=A+B,
//   failback, stopped (by wish).
inline void add_guests(Night& night, const std::string& text) {
  for (const auto& word : words(text)) {
    const auto parts = words(word, ':');
    const auto at = parts[0].find('@');
    Protected vm;
    vm.vm = parts[0].substr(0, at);
    vm.uuid = "uuid-" + vm.vm;
    vm.host = parts[0].substr(at + 1);
    vm.memory_bytes = Site::kGiB;
    vm.xml = Site::xml_of(vm.vm);
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const auto is = parts[i].find('=');
      const std::string key = parts[i].substr(0, is);
      const std::string value = is == std::string::npos ? "" : parts[i].substr(is + 1);
      if (key == "p") {
        vm.priority = std::stol(value);
      } else if (key == "mem") {
        vm.memory_bytes = std::stol(value) * Site::kGiB;
      } else if (key == "after") {
        vm.after = words(value, '+');
      } else if (key == "apart") {
        vm.anti_affinity = value;
      } else if (key == "prefer" || key == "only") {
        vm.affinity.prefer = words(value, '+');
        vm.affinity.only = key == "only";
      } else if (key == "failback") {
        vm.affinity.failback = true;
      } else if (key == "together") {
        vm.affinity.together = value;
      } else if (key == "stopped") {
        vm.running = false;
      } else {
        throw std::invalid_argument("no such option: " + parts[i]);
      }
    }
    night.site.add(vm.host, vm.vm, vm.memory_bytes,
                   vm.running ? migrate::VmState::kRunning : migrate::VmState::kShutoff);
    if (!vm.running) night.site.at(vm.host).guests[vm.uuid].reason = "shutdown";
    put(night.store, vm);
  }
}

// What happens at a time: "SECONDS WHAT [NAME] [ARGUMENT]".
//   power HOST|all off|on       the machine's power, whoever switches it
//   net|storage|agent|libvirtd HOST|all off|on
//   watcher-storage off|on      what the watcher reads
//   manager off|on              the machine of heartbeat watch, fence and failover
//   bmc HOST deaf|lies|slow|well     its power switch
//   fails HOST N                so many starts fail there
//   dies-at-start HOST          it loses its power in the middle of the next start there
//   end GUEST REASON            it ends: crashed, shutdown, ...
//   move GUEST HOST             somebody moves it
//   store locked|readonly|well
//   outlives N                  locks of disks outlive their host by so many seconds
// and by a person:
//   maintenance|drain HOST on|off, disarm SECONDS, arm, failback (with migrate), clear|unfence|confirm HOST
inline void add_event(Night& night, const std::string& text) {
  const auto part = words(text);
  const Milliseconds when{std::llround(1000 * std::stod(part.at(0)))};
  const std::string what = part.at(1);
  const std::string name = part.size() > 2 ? part[2] : "";
  const std::string argument = part.size() > 3 ? part[3] : "";
  const auto machines = [&night, name](auto change) {
    return [&night, name, change] {
      for (const auto& host : night.site.hosts()) {
        if (name == "all" || name == host) change(night.site.at(host), host);
      }
    };
  };
  const auto flag = [&](bool Site::Machine::*member) {
    night.at(when, machines([member, on = argument == "on"](Site::Machine& machine, const std::string&) {
               machine.*member = on;
             }));
  };
  auto& site = night.site;
  using Trouble = TroubledStore::Trouble;
  if (what == "power") {
    night.at(when, machines([&site, on = argument == "on"](Site::Machine&, const std::string& host) {
               site.power(host, on);
             }));
  } else if (what == "net") {
    flag(&Site::Machine::net);
  } else if (what == "storage") {
    flag(&Site::Machine::storage);
  } else if (what == "agent") {
    flag(&Site::Machine::agent);
  } else if (what == "libvirtd") {
    flag(&Site::Machine::libvirtd);
  } else if (what == "watcher-storage") {
    night.at(when, [&night, on = name == "on"] { night.watcher_storage = on; });
  } else if (what == "manager") {
    night.command(when, [&night, on = name == "on"] { on ? night.manager_on() : night.manager_off(); });
  } else if (what == "bmc") {
    night.at(when, machines([argument](Site::Machine& machine, const std::string&) {
               machine.bmc_deaf = argument == "deaf";
               machine.bmc_lies = argument == "lies";
               machine.bmc_takes = Milliseconds{argument == "slow" ? 2000 : 100};
             }));
  } else if (what == "fails") {
    night.at(when, [&site, name, argument] { site.at(name).failing_starts = std::stoi(argument); });
  } else if (what == "dies-at-start") {
    night.at(when, [&site, name] { site.at(name).dies_at_start = true; });
  } else if (what == "end") {
    night.at(when, [&site, name, argument] { site.stop(name, argument); });
  } else if (what == "move") {
    night.at(when, [&site, name, argument] { site.move(name, argument); });
  } else if (what == "store") {
    const auto trouble = name == "locked"     ? Trouble::kLocked
                         : name == "readonly" ? Trouble::kReadOnly
                                              : Trouble::kNone;
    night.at(when, [&night, trouble] { night.store.trouble = [trouble] { return trouble; }; });
  } else if (what == "outlives") {
    night.at(when, [&site, name] { site.lock_outlives = std::chrono::seconds{std::stol(name)}; });
  } else if (what == "maintenance" || what == "drain") {
    const bool on = argument == "on";
    night.command(when, [&night, what, name, on] {
      const auto now = night.clock.wall();
      if (what == "drain") {
        on ? cluster::put(night.store, cluster::DrainMark{name, "new fans", now, "ann", {}})
           : void(cluster::remove_drain(night.store, name));
      } else {
        on ? cluster::put(night.store, cluster::MaintenanceMark{name, "new fans", now, "ann", {}})
           : void(cluster::remove_maintenance(night.store, name));
      }
    });
  } else if (what == "disarm") {
    night.command(when, [&night, name] {
      const auto now = night.clock.wall();
      cluster::put(night.store, cluster::DisarmMark{"new switches", now, "ann",
                                                    now + std::chrono::seconds{std::stol(name)}});
    });
  } else if (what == "arm") {
    night.command(when, [&night] { cluster::remove_disarm(night.store); });
  } else if (what == "failback") {
    night.command(when, [&night] {
      const auto plan = failback(night.inventory, night.site, night.store, night.clock, Milliseconds{3000});
      for (const auto& move : plan.moves) night.site.move(move.vm, move.to);
      for (const auto& [vm, why] : plan.stay) night.warn(vm + " stays where it is: " + why);
    });
  } else if (what == "clear") {
    night.command(when, [&night, name] { night.clear(name); });
  } else if (what == "unfence") {
    night.command(when, [&night, name] { night.unfence(name); });
  } else if (what == "confirm") {
    night.command(when, [&night, name] { night.confirm(name); });
  } else {
    throw std::invalid_argument("no such event: " + text);
  }
}

}  // namespace rackline::failover::night
