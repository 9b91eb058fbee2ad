// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "fence/rules.h"
#include "record/kinds_fence.h"
#include "record/reader.h"

namespace rackline::failover {

// The host_fenced records of a stream that has no end, read on a thread of its own: whoever acts on them has
// other things to do while none comes.
class FencedFeed {
 public:
  using Fenced = std::pair<record::HostFenced, Milliseconds>;  // and when it was read, monotonic

  // `pass` is called on that thread with every record, before it is handed out.
  FencedFeed(std::shared_ptr<record::Reader> reader, const Clock& clock,
             std::function<void(const record::Reader&)> pass);
  // A thread that still waits for input is left behind: nothing but input or a stop would wake it. It calls
  // `pass` no more.
  ~FencedFeed();
  FencedFeed(const FencedFeed&) = delete;
  FencedFeed& operator=(const FencedFeed&) = delete;

  // Waits for the next one, at most `patience` if there is one. Nothing when there was none in time, when a
  // stop was asked for (interrupt.h), or when over() by then. Throws what reading threw, after all that was
  // read before has been handed out.
  std::optional<Fenced> next(std::optional<Milliseconds> patience);
  // What was said of fenced hosts that show life since the last call; next() returns for it at once.
  std::vector<fence::LifeSign> contradicted();
  bool over();
  // Whether next() would return at once with something to be done.
  bool has_news();

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Fenced> queue;
    std::vector<fence::LifeSign> contradicted;
    std::exception_ptr failure;
    bool over = false;
    bool abandoned = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace rackline::failover
