// SPDX-License-Identifier: Apache-2.0
#include "bmc/power.h"

#include <algorithm>

namespace rackline::bmc {
namespace {

constexpr Milliseconds kBetweenReadings{200};
constexpr Milliseconds kShortestCall{50};
// How long the power of a host is read that was told off and then showed life.
constexpr Milliseconds kAftermath{5'000};

std::string title_of(const FenceLevel& level) {
  std::string text;
  for (const auto& method : level) text += (text.empty() ? "" : " and ") + method.title();
  return text;
}

std::string agents_of(const FenceLevel& level) {
  std::string text;
  for (const auto& method : level) {
    if (text.find(method.agent) == std::string::npos) text += (text.empty() ? "" : ",") + method.agent;
  }
  return text;
}

bool is_self(const FenceLevel& level) {
  return std::any_of(level.begin(), level.end(), [](const auto& method) { return method.self(); });
}

// Each reason once, however often it came up: the time that was left for an answer is another one every time.
void add(std::string& why, const std::string& reason) {
  if (why.find(reason.substr(0, reason.find(" within "))) == std::string::npos)
    why += (why.empty() ? "" : "; ") + reason;
}

// Levels that take a share of the time; a wait for a host that fences itself has its own end.
std::int64_t timed_levels(const FenceLevels& levels, std::size_t from) {
  return std::max<std::int64_t>(
      1, std::count_if(levels.begin() + static_cast<std::ptrdiff_t>(from), levels.end(),
                       [](const auto& level) { return !is_self(level); }));
}

}  // namespace

PowerReading PowerDriver::read_level(const FenceLevel& level, Milliseconds patience, Power wanted) {
  PowerReading reading{Power::kUnknown, agents_of(level), {}};
  const auto share = std::max(kShortestCall, patience / static_cast<std::int64_t>(level.size()));
  std::size_t agreed = 0;
  for (const auto& method : level) {
    const auto reply = power_.call(method, PowerAction::kStatus, std::min(share, method.timeout));
    if (reply.power == Power::kUnknown) {
      add(reading.why, method.title() + ": status: " + reply.why);
    } else if (reply.power == wanted) {
      ++agreed;
    } else {
      reading.power = reply.power;  // one feed that is on keeps the host on, whatever the others say
    }
  }
  if (agreed == level.size()) reading.power = wanted;  // @rule 15-all-feeds: true
  return reading;
}

PowerReading PowerDriver::read(const FenceLevels& levels, Milliseconds patience) {
  PowerReading last;
  std::string why;
  const auto deadline = time_.clock.monotonic() + patience;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (is_self(levels[i])) continue;
    last = read_level(levels[i], (deadline - time_.clock.monotonic()) / timed_levels(levels, i), Power::kOff);
    if (last.power != Power::kUnknown) return last;
    add(why, last.why);
  }
  last.why = why.empty() ? "it has neither a fence_method nor a bmc whose power can be read" : why;
  return last;
}

bool PowerDriver::begun(const Goal& goal, PowerReport& report) {
  if (begun_) return true;
  const auto asked = time_.clock.monotonic();
  report.objection = goal.begin();
  paused_ += time_.clock.monotonic() - asked;
  begun_ = report.objection.empty();
  return begun_;
}

bool PowerDriver::lives(const Goal& goal, PowerReport& report) {
  if (goal.life() > 0) report.withdrawn = true;  // @rule 01-up-again
  return report.withdrawn;
}

bool PowerDriver::yields(const Goal& goal, PowerReport& report) {
  if (!report.yielded && goal.rules.yields(report.attempts > 0)) {
    report.yielded = true;
    add(report.why, "a person wants the lock: this try ended early");
  }
  return report.yielded;
}

bool PowerDriver::over(const Goal& goal, PowerReport& report) {
  return report.proven || !report.objection.empty() || lives(goal, report) ||  // @rule 21-between-levels
         yields(goal, report);
}

void PowerDriver::wait(Milliseconds time, const Goal& goal, PowerReport& report) {
  for (const auto until = now() + time; now() < until;) {
    if (lives(goal, report)) return;  // @rule 21-in-a-delay
    if (yields(goal, report)) return;
    time_.sleep(std::min(kBetweenReadings, until - now()));
  }
}

// Until the state is read twice running, or the time is over.
bool PowerDriver::read_twice(const FenceLevel& level, Milliseconds until, const Goal& goal,
                             PowerReport& report) {
  int running = 0;
  std::string trouble;
  for (auto left = until - now(); left > Milliseconds{0}; left = until - now()) {
    if (lives(goal, report)) {
      if (report.attempts == 0) return false;  // @rule 21-off-and-told-nothing
      // What was read before a sign of life proves nothing after it.
      if (const int signs = goal.life(); signs != report.signs) {
        if (report.signs == 0) until = std::min(until, now() + kAftermath);
        report.signs = signs;
        running = 0;
      }
    }
    if (yields(goal, report)) break;
    const auto reading = read_level(level, left, goal.state);
    if (reading.power != Power::kUnknown) report.after = reading.power;
    trouble = reading.power == Power::kUnknown ? reading.why
                                               : title_of(level) + ": read back " + name_of(reading.power);
    running = reading.power == goal.state ? running + 1 : 0;
    if (running >= 2 && goal.life() == report.signs) return true;
    time_.sleep(kBetweenReadings);
  }
  // An answer that came too late to be read again proves nothing.
  if (report.after == goal.state) report.after = Power::kUnknown;
  if (!trouble.empty()) add(report.why, trouble);
  return false;
}

// Whether anybody was told anything.
bool PowerDriver::command(const FenceLevel& level, Milliseconds until, const Goal& goal,
                          PowerReport& report) {
  if (lives(goal, report)) return false;  // @rule 21-before-the-intent
  if (yields(goal, report) || !begun(goal, report)) return false;
  auto waiting = static_cast<std::int64_t>(level.size());
  bool told = false;
  for (const auto& method : level) {
    // `begin`, a delay, and the method before this one took their time.
    if (lives(goal, report)) break;
    report.objection = goal.rules.forbids();  // @rule 01-maintenance-between-tries
    if (!report.objection.empty() || lives(goal, report)) break;
    // A third of the time is left for reading the state back: an agent that hangs may have done its work.
    const auto share = (until - now()) * 2 / 3 / waiting--;
    ++report.attempts;
    told = true;
    add(report.told, method.title());
    const auto reply = power_.call(method, goal.action, std::clamp(share, kShortestCall, method.timeout));
    if (!reply.accepted) add(report.why, method.title() + ": " + name_of(goal.action) + ": " + reply.why);
  }
  return told;
}

void PowerDriver::attempt(const FenceLevel& level, Milliseconds until, const Goal& goal,
                          PowerReport& report) {
  const auto patience = (until - now()) / 3;
  const auto before = read_level(level, patience, goal.state);
  if (report.before == Power::kUnknown && report.attempts == 0) report.before = before.power;
  if (before.power != Power::kUnknown) report.after = before.power;
  const bool there = before.power == goal.state;
  if (!there) {
    if (before.power == Power::kUnknown) add(report.why, before.why);
    if (!command(level, until, goal, report)) return;
  }
  report.proven = read_twice(level, until, goal, report);  // @rule 15-read-back: true
  report.untouched = report.proven && report.attempts == 0;
  if (!report.proven) return;
  report.method = agents_of(level);
  report.level = level.front().level;
  const std::string state = name_of(goal.state);
  report.evidence =
      title_of(level) + ": read " + name_of(report.before) + " before, " +
      (report.untouched ? "told nothing" : std::string("told ") + name_of(goal.action)) + ", read " + state +
      " twice after" +
      (report.signs > 0 ? "; it showed life after it had been told, and before it was read" : "");
}

void PowerDriver::try_level(const FenceLevel& level, Milliseconds limit, const Goal& goal,
                            PowerReport& report) {
  int attempts = 1;
  Milliseconds longest{0};
  Milliseconds delay{0};
  for (const auto& method : level) {
    attempts = std::max(attempts, method.attempts);
    longest = std::max(longest, method.timeout);
    delay = std::max(delay, method.delay);
  }
  wait(std::min(delay, (limit - now()) / 2), goal, report);
  for (; attempts > 0 && !over(goal, report); --attempts) {
    const auto time = now();
    if (time >= limit) {
      add(report.why, "the deadline has passed");
      return;
    }
    // Three calls: the state before, the command, the state after.
    attempt(level, time + std::min((limit - time) / attempts, longest * 3), goal, report);
  }
}

void PowerDriver::wait_for_self_fence(const Goal& goal, const SelfFence& self, PowerReport& report) {
  if (!self.objection.empty()) return add(report.why, "self: " + self.objection);
  if (!begun(goal, report)) return;
  while (time_.clock.monotonic() < self.at) {  // @rule 03-waited-for
    if (lives(goal, report)) return;           // @rule 21-self-waits
    if (yields(goal, report)) return;
    if (const auto reason = self.cancelled(); !reason.empty()) return add(report.why, "self: " + reason);
    time_.sleep(std::min(kBetweenReadings, self.at - time_.clock.monotonic()));
  }
  report.objection = goal.rules.forbids();
  if (!report.objection.empty()) return;
  if (lives(goal, report)) return;  // @rule 21-self-waits
  if (const auto reason = self.cancelled(); !reason.empty()) return add(report.why, "self: " + reason);
  report.proven = true;
  report.method = "self";
  report.before = report.after = Power::kUnknown;
  report.evidence = self.evidence;
}

PowerReport PowerDriver::off(const FenceLevels& levels, Milliseconds deadline,
                             const std::function<std::string()>& begin, const SelfFence& self,
                             const Life& life, const PowerRules& rules) {
  PowerReport report;
  const Goal goal{PowerAction::kOff, Power::kOff, begin, life, rules};
  if (levels.empty()) report.why = "it has neither a fence_method nor a bmc: nobody here can switch it off";
  for (std::size_t i = 0; i < levels.size() && !over(goal, report); ++i) {
    if (is_self(levels[i])) {
      wait_for_self_fence(goal, self, report);
      if (report.proven) report.level = levels[i].front().level;
      continue;
    }
    try_level(levels[i], now() + (deadline - now()) / timed_levels(levels, i), goal, report);
  }
  return report;
}

PowerReport PowerDriver::on(const FenceLevels& levels, Milliseconds deadline) {
  PowerReport report;
  const std::function<std::string()> begin = [] { return std::string(); };
  const Life life = [] { return 0; };
  const PowerRules rules;
  const Goal goal{PowerAction::kOn, Power::kOn, begin, life, rules};
  if (levels.empty()) report.why = "it has neither a fence_method nor a bmc: nobody here can switch it on";
  for (std::size_t i = 0; i < levels.size() && !over(goal, report); ++i) {
    if (is_self(levels[i])) continue;
    try_level(levels[i], now() + (deadline - now()) / timed_levels(levels, i), goal, report);
  }
  return report;
}

}  // namespace rackline::bmc
