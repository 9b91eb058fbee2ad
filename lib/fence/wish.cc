// SPDX-License-Identifier: Apache-2.0
#include "fence/wish.h"

#include "base/error.h"
#include "store/describe.h"

namespace rackline::fence {
namespace {

constexpr std::string_view kPrefix = "fence-wish/";
constexpr Milliseconds kBetweenLooks{1000};
// A store that is locked or out of reach takes its time to say so, and that is time of the fencing in hand.
constexpr Milliseconds kAfterTrouble{30'000};

struct Wish {
  std::chrono::sys_seconds time{};
  static const store::Fields kFields;
};
const store::Fields Wish::kFields{FIELD(Wish, time)};

}  // namespace

FenceWish::FenceWish(store::Store& store, const std::string& host, std::chrono::sys_seconds now)
    : store_(store), key_(std::string(kPrefix) + store::key_part(host)) {
  store_.commit({{}, {{key_, store::to_text(Wish{now})}}, {}});
}

FenceWish::~FenceWish() {
  try {
    store_.commit({{}, {}, {key_}});
  } catch (const std::exception&) {
    // It ends by itself.
  }
}

bool FenceWishes::of(const std::string& host) {
  const std::lock_guard guard(mutex_);
  look();
  return hosts_.contains(host);
}

bool FenceWishes::any() {
  const std::lock_guard guard(mutex_);
  look();
  return !hosts_.empty();
}

void FenceWishes::look() {
  const auto now = clock_.monotonic();
  if (now < next_) return;
  next_ = now + kBetweenLooks;
  hosts_.clear();
  try {
    for (const auto& entry : store_.list(kPrefix)) {
      const auto stored = store::from_text<Wish>(entry.value);
      if (!stored || std::chrono::abs(clock_.wall() - stored->time) > FenceWish::kValid) continue;
      hosts_.insert(store::from_key_part(std::string_view(entry.key).substr(kPrefix.size())));
    }
  } catch (const Error&) {
    // Nobody can be waiting for what nobody can write; the fencing itself tells of the trouble.
    next_ = clock_.monotonic() + kAfterTrouble;
  }
}

}  // namespace rackline::fence
