// SPDX-License-Identifier: Apache-2.0
// Random clusters with balloons, file systems in memory and huge pages. What there really is, the planner
// does not see: it gets the samples that capwatch would take of it. A referee that knows the truth plays
// every plan move by move, and no host may run out of what it has even if all guests want all that they may
// have. RACKLINE_CASES says how many clusters (300 if not set).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "capacity/memory.h"
#include "capacity/planner.h"

namespace rackline::capacity {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;
constexpr std::int64_t kSmall = 2 << 20;
constexpr std::int64_t kLarge = kGiB;
const record::Time kNoon{std::chrono::sys_seconds{1'800'000'000s}};

int cases() {
  const char* told = std::getenv("RACKLINE_CASES");
  return told != nullptr ? std::atoi(told) : 300;
}

struct RealHost {
  std::int64_t size = 0;
  PageBytes pools;
  std::int64_t kernel = 0;
  std::int64_t tmpfs = 0;

  std::int64_t ordinary() const {
    std::int64_t left = size;
    for (const auto& [page, bytes] : pools) left -= bytes;
    return left;
  }
};

struct RealGuest {
  std::string host;
  std::int64_t most = 0;     // that it may have
  std::int64_t given = 0;    // that its balloon leaves it
  std::int64_t touched = 0;  // that it occupies
  PageBytes pages;
  double cores = 0;
  bool told = true;  // whether it is in huge pages
};

struct RealWorld {
  std::map<std::string, RealHost> hosts;
  std::map<std::string, RealGuest> guests;
};

// What the guests of a host may want, of its ordinary memory (0) and of each pool.
PageBytes wanted(const RealWorld& world, const std::map<std::string, std::set<std::string>>& places,
                 const std::string& host) {
  PageBytes sum;
  sum[0] = world.hosts.at(host).kernel + world.hosts.at(host).tmpfs;
  for (const auto& [name, where] : places) {
    if (!where.contains(host)) continue;
    const RealGuest& guest = world.guests.at(name);
    if (guest.pages.empty()) sum[0] += guest.most;
    for (const auto& [page, bytes] : guest.pages) sum[page] += bytes;
  }
  return sum;
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  std::int64_t below(std::int64_t limit) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(limit));
  }
  bool one_in(int n) { return below(n) == 0; }

 private:
  std::mt19937_64 random_;
};

RealWorld random_world(std::uint64_t seed) {
  Dice dice(seed);
  RealWorld world;
  std::map<std::string, PageBytes> used;
  std::vector<std::string> names;
  const std::int64_t hosts = 2 + dice.below(5);
  for (int i = 0; i < hosts; ++i) {
    RealHost host;
    host.size = (32 + 16 * dice.below(4)) * kGiB;
    if (!dice.one_in(3)) host.pools[kSmall] = (4 + dice.below(12)) * kGiB;
    if (dice.one_in(3)) host.pools[kLarge] = (2 + dice.below(6)) * kGiB;
    host.kernel = kGiB / 4 + dice.below(kGiB);
    if (dice.one_in(2)) host.tmpfs = dice.below(6 * kGiB);
    const std::string name = "h" + std::to_string(i);
    used[name][0] = host.kernel + host.tmpfs;
    world.hosts[name] = host;
    names.push_back(name);
  }
  const std::int64_t guests = 4 + dice.below(24);
  for (int i = 0; i < guests; ++i) {
    RealGuest guest;
    guest.host = names[static_cast<std::size_t>(dice.below(hosts))];
    guest.most = guest.given = (1 + dice.below(8)) * kGiB;
    guest.cores = static_cast<double>(dice.below(160)) / 100;
    const RealHost& host = world.hosts[guest.host];
    PageBytes& there = used[guest.host];
    if (dice.one_in(3) && !host.pools.empty()) {
      const std::int64_t page =
          host.pools.contains(kSmall) && !dice.one_in(4) ? kSmall : host.pools.rbegin()->first;
      if (there[page] + guest.most > host.pools.at(page)) continue;
      there[page] += guest.most;
      guest.pages[page] = guest.most;
    } else {
      if (dice.one_in(4)) guest.given = guest.most / 2;
      guest.touched = dice.one_in(3) ? guest.given : dice.below(guest.given);
      guest.told = !dice.one_in(6);
      // Now and then more is promised than there is, as balloons make one do.
      if (there[0] + guest.most > host.ordinary() && !dice.one_in(12)) continue;
      if (there[0] + guest.given > host.ordinary()) continue;
      there[0] += guest.most;
    }
    world.guests["v" + std::to_string(i)] = guest;
  }
  return world;
}

record::List words(const PageBytes& pages) {
  std::vector<std::string> all;
  for (const auto& [page, bytes] : pages) all.push_back(std::to_string(page) + "=" + std::to_string(bytes));
  return all;
}

// What capwatch would see.
void sample(const RealWorld& world, Planner& planner, record::Time time) {
  for (const auto& [name, host] : world.hosts) {
    record::HostSample& seen = planner.round().host_slot();
    seen = {};
    seen.time = time;
    seen.host = name;
    seen.state = "up";
    seen.cpus = 16;
    seen.memory_bytes = host.size;
    PageBytes free = host.pools;
    std::int64_t used_memory = host.size - host.ordinary() + host.kernel + host.tmpfs;
    double cores = 0;
    for (const auto& [guest_name, guest] : world.guests) {
      if (guest.host != name) continue;
      used_memory += guest.touched;
      cores += guest.cores;
      for (const auto& [page, bytes] : guest.pages) free[page] -= bytes;
    }
    seen.memory_used_bytes = used_memory;
    seen.memory_free_bytes = host.size - used_memory;
    seen.hugepage_pools = words(host.pools);
    seen.hugepage_pools_free = words(free);
    seen.cpu_percent = std::min(100.0, 100 * cores / 16);
    planner.round().keep_host();
  }
  int id = 0;
  for (const auto& [name, guest] : world.guests) {
    record::VmSample& seen = planner.round().vm_slot();
    seen = {};
    seen.time = time;
    seen.vm = name;
    seen.uuid = "uuid-" + name;
    seen.host = guest.host;
    seen.state = "running";
    seen.domain_id = ++id;
    seen.vcpus = 2;
    seen.cpu_cores = guest.cores;
    seen.memory_bytes = guest.given;
    if (guest.most > guest.given) seen.memory_max_bytes = guest.most;
    seen.memory_used_bytes = guest.touched;
    if (guest.told) seen.hugepages = !guest.pages.empty();
    if (!guest.pages.empty()) seen.hugepage_pools = words(guest.pages);
    planner.round().keep_vm();
  }
  planner.close(time);
}

// Plays the moves: those of a stage are all on their way at once, and then arrive one by one.
void play(RealWorld& world, const std::vector<record::VmMove>& moves, const std::string& what) {
  std::map<std::string, std::set<std::string>> places;
  for (const auto& [name, guest] : world.guests) places[name] = {guest.host};
  std::map<std::string, PageBytes> allowed;
  for (const auto& [name, host] : world.hosts) {
    allowed[name] = wanted(world, places, name);
    allowed[name][0] = std::max(allowed[name][0], host.ordinary());
    for (const auto& [page, bytes] : host.pools) allowed[name][page] = std::max(allowed[name][page], bytes);
  }
  const auto judge = [&](const std::string& when) {
    for (const auto& [name, host] : world.hosts) {
      for (const auto& [page, bytes] : wanted(world, places, name)) {
        EXPECT_LE(bytes, allowed[name][page])
            << what << ", " << when << ": " << name << " in pages of " << page;
      }
    }
  };
  for (std::size_t begin = 0; begin < moves.size();) {
    std::size_t end = begin;
    for (; end < moves.size() && moves[end].stage == moves[begin].stage; ++end) {
      EXPECT_TRUE(places[moves[end].vm].contains(moves[end].from)) << what;
      places[moves[end].vm].insert(moves[end].to);
      judge(moves[end].vm + " on its way");
    }
    for (; begin < end; ++begin) {
      places[moves[begin].vm] = {moves[begin].to};
      world.guests[moves[begin].vm].host = moves[begin].to;
    }
  }
}

Policy policy_for(std::uint64_t seed) {
  Policy policy;
  policy.force = true;
  policy.keep_spare = seed % 2 == 0;
  if (seed % 3 == 0) policy.imbalance = 0.1;
  policy.threshold_percent = 50;
  policy.memory_threshold_percent = 70;
  return policy;
}

TEST(MemoryProperty, NoPrefixOfAnyPlanRunsAHostOutOfWhatItReallyHas) {
  std::size_t moves = 0;
  std::size_t huge = 0;
  const auto count = [&](const RealWorld& world, const std::vector<record::VmMove>& plan) {
    moves += plan.size();
    for (const auto& move : plan) huge += world.guests.at(move.vm).pages.empty() ? 0 : 1;
  };
  for (int n = 1; n <= cases() && !::testing::Test::HasFailure(); ++n) {
    const auto seed = static_cast<std::uint64_t>(n);
    const RealWorld world = random_world(seed);
    const auto planned = [&](const RealWorld& from) {
      auto planner = std::make_unique<Planner>(policy_for(seed));
      sample(from, *planner, kNoon);
      return planner;
    };
    const auto judge = [&](RealWorld at, const std::vector<record::VmMove>& plan, const std::string& verb) {
      count(at, plan);
      play(at, plan, "case " + std::to_string(n) + " " + verb);
      return at;
    };
    judge(world, planned(world)->balance().moves, "balance");
    judge(world, planned(world)->pack().moves, "pack");
    for (const auto& [name, host] : world.hosts)
      judge(world, planned(world)->evacuate({name}).moves, "evacuate " + name);
    RealWorld turned = world;
    for (const auto& group : planned(world)->rolling({}, 2).groups)
      turned = judge(turned, planned(turned)->evacuate(group.hosts).moves, "rolling");
  }
  EXPECT_GT(moves, static_cast<std::size_t>(cases()) * 5);
  EXPECT_GT(huge, static_cast<std::size_t>(cases()) / 2);
}

}  // namespace
}  // namespace rackline::capacity
