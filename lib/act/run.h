// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <variant>

#include "act/outcome.h"
#include "act/schedule.h"
#include "act/workers.h"
#include "base/interrupt.h"

namespace rackline::act {

// Carries out a plan: each item by a worker on a thread of its own, when the schedule lets it begin, and
// settles each exactly once. A Report has at least `Outcome outcome`.
template <class Report, class Progress>
class Run {
 public:
  // How a worker speaks while it is at work, on its own thread.
  struct Voice {
    std::function<void(const Progress&)> progress;
    std::function<void(const std::string&)> warn;
  };
  // Called only on the thread that calls go().
  struct Hooks {
    // The worker of an item. What it returns runs on another thread, and must not throw.
    std::function<std::function<Report()>(std::size_t item, Voice voice)> work;
    // Of an item that is not begun.
    std::function<Report(Outcome outcome, const std::string& reason)> not_begun;
    std::function<void(std::size_t item, const Report& report)> finished;  // once for each item
    std::function<void(std::size_t item, const Progress& progress)> progress;
    std::function<void(const std::string& text)> warn;
    // A stop was asked for: workers are to roll back what they have begun.
    std::function<void()> cancel;
  };

  Run(Schedule schedule, Hooks hooks) : schedule_(std::move(schedule)), hooks_(std::move(hooks)) {}
  // Only where something was thrown are there still workers.
  ~Run() {
    if (!workers_.idle()) hooks_.cancel();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Before go(): it is wrong whatever the world says. Nothing where it is refused already, as it rests on one
  // that was refused before.
  void refuse(std::size_t item, const std::string& reason) {
    if (schedule_.is_over(item)) return;
    finish(item, hooks_.not_begun(Outcome::kRefused, reason));
  }

  // Returns when every item is settled, or when a stop was asked for (interrupt.h) and what was begun has
  // come to its end.
  void go() {
    while (!schedule_.over() || !workers_.idle()) {
      if (interrupt::requested() && !cancelled_) cancel();
      begin();
      if (workers_.idle()) continue;
      workers_.wait(!cancelled_);
      for (Event& event : workers_.take()) handle(event);
    }
  }

  const Tally& tally() const { return tally_; }

 private:
  struct Event {
    std::size_t item = 0;
    std::variant<Report, Progress, std::string> what;  // the string is a warning
  };

  void settle(std::size_t item, const Report& report) {
    tally_.add(report.outcome);
    hooks_.finished(item, report);
  }

  void finish(std::size_t item, const Report& report) {
    schedule_.finish(item, report.outcome == Outcome::kDone || report.outcome == Outcome::kAlready);
    settle(item, report);
    for (const auto& dependant : schedule_.refused())
      settle(dependant.item, hooks_.not_begun(Outcome::kRefused, dependant.reason));
  }

  void cancel() {
    cancelled_ = true;
    hooks_.cancel();
    for (const std::size_t item : schedule_.give_up())
      settle(item, hooks_.not_begun(Outcome::kCancelled, "not begun"));
  }

  void begin() {
    for (const std::size_t item : schedule_.begin()) {
      auto work = hooks_.work(item, {.progress =
                                         [this, item](const Progress& progress) {
                                           workers_.post({item, progress});
                                         },
                                     .warn =
                                         [this, item](const std::string& text) {
                                           workers_.post({item, text});
                                         }});
      workers_.start(item, [this, item, work = std::move(work)] { workers_.post({item, work()}); });
    }
  }

  void handle(Event& event) {
    if (const auto* progress = std::get_if<Progress>(&event.what)) {
      hooks_.progress(event.item, *progress);
    } else if (const auto* warning = std::get_if<std::string>(&event.what)) {
      hooks_.warn(*warning);
    } else {
      workers_.join(event.item);
      finish(event.item, std::get<Report>(event.what));
    }
  }

  Schedule schedule_;
  Hooks hooks_;
  Tally tally_;
  bool cancelled_ = false;
  Workers<Event> workers_;  // the last member: its threads use the others
};

}  // namespace rackline::act
