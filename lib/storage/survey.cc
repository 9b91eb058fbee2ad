// SPDX-License-Identifier: Apache-2.0
#include "storage/survey.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "base/interrupt.h"
#include "wait/thread.h"

namespace rackline::storage {

Survey::Survey(const std::vector<record::Array>& arrays, const Patience& patience, const Clock& clock) {
  for (const auto& array : arrays) samplers_.push_back(std::make_unique<Sampler>(array, patience, clock));
}

bool Survey::round(const std::function<void(Seen)>& each) {
  std::mutex mutex;
  std::condition_variable added;
  std::deque<Seen> answers;
  struct Threads {
    std::vector<std::thread> all;
    ~Threads() {
      for (auto& thread : all) thread.join();
    }
  } threads;
  threads.all.reserve(samplers_.size());
  for (std::size_t i = 0; i < samplers_.size(); ++i) {
    threads.all.push_back(wait::quiet_thread([&, i] {
      Seen seen{i, samplers_[i]->sample()};
      const std::lock_guard guard(mutex);
      answers.push_back(std::move(seen));
      added.notify_one();
    }));
  }
  // A stop makes each of them end early, with half of what it should have seen.
  bool whole = true;
  for (std::size_t seen = 0; seen < samplers_.size(); ++seen) {
    std::unique_lock lock(mutex);
    added.wait(lock, [&] { return !answers.empty(); });
    Seen answer = std::move(answers.front());
    answers.pop_front();
    lock.unlock();
    whole = whole && !interrupt::requested();
    if (whole) each(std::move(answer));
  }
  return whole;
}

}  // namespace rackline::storage
