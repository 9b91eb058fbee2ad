// SPDX-License-Identifier: Apache-2.0
#include "failover/fenced_feed.h"

#include <chrono>
#include <thread>

#include "base/interrupt.h"

namespace rackline::failover {

FencedFeed::FencedFeed(std::shared_ptr<record::Reader> reader, const Clock& clock,
                       std::function<void(const record::Reader&)> pass)
    : state_(std::make_shared<State>()) {
  std::thread([state = state_, reader = std::move(reader), &clock, pass = std::move(pass)] {
    std::exception_ptr failure;
    try {
      record::HostFenced fenced;
      while (reader->next()) {
        const auto read_at = clock.monotonic();
        const std::lock_guard guard(state->mutex);
        if (state->abandoned) return;
        pass(*reader);
        if (const auto life = fence::contradiction(*reader)) {
          state->contradicted.push_back(*life);
          state->changed.notify_one();
        }
        if (!reader->is<record::HostFenced>() || !reader->read(fenced)) continue;
        state->queue.emplace_back(fenced, read_at);
        state->changed.notify_one();
      }
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard guard(state->mutex);
    state->failure = failure;
    state->over = true;
    state->changed.notify_one();
  }).detach();
}

FencedFeed::~FencedFeed() {
  const std::lock_guard guard(state_->mutex);
  state_->abandoned = true;
}

std::optional<FencedFeed::Fenced> FencedFeed::next(std::optional<Milliseconds> patience) {
  std::unique_lock lock(state_->mutex);
  const auto news = [this] {
    return !state_->queue.empty() || !state_->contradicted.empty() || state_->over;
  };
  // A signal wakes nobody who waits for a condition, so that is looked at again and again.
  constexpr Milliseconds kGlance{200};
  const auto until = std::chrono::steady_clock::now() + patience.value_or(Milliseconds{0});
  while (!state_->changed.wait_for(lock, kGlance, news) && !interrupt::requested()) {
    if (patience && std::chrono::steady_clock::now() >= until) break;
  }
  if (!state_->queue.empty()) {
    Fenced first = std::move(state_->queue.front());
    state_->queue.pop_front();
    return first;
  }
  if (state_->failure) std::rethrow_exception(state_->failure);
  return std::nullopt;
}

std::vector<fence::LifeSign> FencedFeed::contradicted() {
  const std::lock_guard guard(state_->mutex);
  return std::exchange(state_->contradicted, {});
}

bool FencedFeed::has_news() {
  const std::lock_guard guard(state_->mutex);
  return !state_->queue.empty() || !state_->contradicted.empty();
}

bool FencedFeed::over() {
  const std::lock_guard guard(state_->mutex);
  return state_->over && state_->queue.empty() && state_->failure == nullptr;
}

}  // namespace rackline::failover
