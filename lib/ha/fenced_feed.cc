// SPDX-License-Identifier: Apache-2.0
#include "ha/fenced_feed.h"

#include <thread>

namespace rackline::ha {

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
  const auto news = [this] { return !state_->queue.empty() || state_->over; };
  if (patience) {
    state_->changed.wait_for(lock, *patience, news);
  } else {
    state_->changed.wait(lock, news);
  }
  if (!state_->queue.empty()) {
    Fenced first = std::move(state_->queue.front());
    state_->queue.pop_front();
    return first;
  }
  if (state_->failure) std::rethrow_exception(state_->failure);
  return std::nullopt;
}

bool FencedFeed::over() {
  const std::lock_guard guard(state_->mutex);
  return state_->over && state_->queue.empty() && state_->failure == nullptr;
}

}  // namespace rackline::ha
