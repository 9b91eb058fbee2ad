// SPDX-License-Identifier: Apache-2.0
#include "plan/headroom.h"

#include <algorithm>
#include <limits>
#include <queue>

namespace rackline::plan {
namespace {

// Of what needs nothing there is no end; nobody reads beyond this.
constexpr std::int64_t kMost = 1'000'000;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

// The bins of a state with so many of the probe's kind on each, and whether any of them may still fail. Kept
// as sums and not as a State: there can be a thousand times as many as items.
class Spare {
 public:
  Spare(const State& state, int probe) : state_(state), model_(state.model()), r_(model_.spare_resource()) {
    if (r_ == kNowhere) return;
    size_ = model_.demand(probe, r_).peak;
    for (int bin = 0; bin < model_.bins(); ++bin) {
      const BinState kind = model_.state(bin);
      std::vector<Amount> sizes;
      Amount sum = 0;
      if (kind == BinState::kOpen || kind == BinState::kClosed) {
        for (const int item : state.items_on(bin)) {
          const Amount peak = model_.demand(item, r_).peak;
          if (peak > 0) sizes.push_back(peak);
          sum += std::max<Amount>(0, peak);
        }
      }
      std::sort(sizes.begin(), sizes.end(), std::greater<>());
      sizes_.push_back(std::move(sizes));
      sums_.push_back(sum);
    }
  }

  // Bins without spare; stops counting above `most`. The bin that failed last time is asked first: mostly it
  // is the same again.
  int count(const std::vector<std::int64_t>& more, int most) {
    if (r_ == kNowhere) return 0;
    int found = 0;
    const int bins = model_.bins();
    for (int i = 0; i < bins && found <= most; ++i) {
      const int bin = (first_ + i) % bins;
      if (holds(bin, more)) continue;
      if (++found > most) first_ = bin;
    }
    return found;
  }

 private:
  bool holds(int failed, const std::vector<std::int64_t>& more) const {
    std::int64_t extra = size_ > 0 ? more[index(failed)] : 0;
    const auto& sizes = sizes_[index(failed)];
    if (sizes.empty() && extra == 0) return true;
    const Amount largest = std::max(sizes.empty() ? Amount{0} : sizes.front(), extra > 0 ? size_ : 0);
    const Amount all = sums_[index(failed)] + extra * size_;
    std::vector<Amount> rooms;
    Amount certain = 0;
    for (int bin = 0; bin < model_.bins(); ++bin) {
      if (bin == failed || model_.state(bin) != BinState::kOpen) continue;
      const Amount room =
          model_.capacity(bin, r_) - state_.used(bin, r_) - (size_ > 0 ? more[index(bin)] * size_ : 0);
      if (room <= 0) continue;
      rooms.push_back(room);
      certain += std::max<Amount>(0, room - largest);
    }
    if (certain >= all) return true;
    // First fit decreasing, those of the probe's kind after the existing ones of their size.
    std::size_t next = 0;
    while (next < sizes.size() || extra > 0) {
      const bool own = next < sizes.size() && (extra == 0 || sizes[next] >= size_);
      const Amount size = own ? sizes[next] : size_;
      const auto room = std::find_if(rooms.begin(), rooms.end(), [size](Amount f) { return f >= size; });
      if (room == rooms.end()) return false;
      if (own) {
        *room -= size;
        ++next;
      } else {
        const std::int64_t taken = std::min(extra, *room / size);
        *room -= taken * size;
        extra -= taken;
      }
    }
    return true;
  }

  const State& state_;
  const Model& model_;
  int r_;
  Amount size_ = 0;
  std::vector<std::vector<Amount>> sizes_;
  std::vector<Amount> sums_;
  int first_ = 0;
};

class Filling {
 public:
  Filling(const State& state, int probe, bool keep_spare, bool below_safety)
      : state_(state), model_(state.model()), probe_(probe), keep_spare_(keep_spare), spare_(state, probe) {
    for (int bin = 0; bin < model_.bins(); ++bin) limits_.push_back(limit_of(bin, below_safety));
  }

  HeadroomAnswer answer() {
    std::vector<std::int64_t> best = grown(prefix(true));
    const std::vector<std::int64_t> other = grown(prefix(false));
    if (total(other) > total(best)) best = other;
    HeadroomAnswer answer;
    for (int bin = 0; bin < model_.bins(); ++bin) {
      HeadroomAnswer::Bin one = limits_[index(bin)];
      const bool full = best[index(bin)] >= one.fits;
      one.fits = best[index(bin)];
      if (!full) {
        one.next = {Obstacle::Kind::kSpare, bin, 0};
        one.load = false;
      }
      answer.fits += one.fits;
      answer.bins.push_back(one);
    }
    return answer;
  }

 private:
  static std::int64_t total(const std::vector<std::int64_t>& more) {
    std::int64_t sum = 0;
    for (const auto count : more) sum += count;
    return sum;
  }

  // How many the bin takes by itself, and what forbids the next.
  HeadroomAnswer::Bin limit_of(int bin, bool below_safety) const {
    HeadroomAnswer::Bin limit;
    limit.next = state_.obstacle(probe_, bin);
    if (limit.next) return limit;
    limit.fits = kMost;
    const auto lower = [&](Amount room, Amount size, int r, bool load) {
      if (size <= 0) return;
      const std::int64_t fits = std::max<Amount>(0, room) / size;
      if (fits >= limit.fits) return;
      limit.fits = fits;
      limit.load = load;
      limit.next = {Obstacle::Kind::kCapacity, r, size - (std::max<Amount>(0, room) - fits * size)};
    };
    for (int r = 0; r < model_.resources(); ++r) {
      const Demand& demand = model_.demand(probe_, r);
      if (model_.resource(r).hard) {
        lower(model_.capacity(bin, r) - state_.used(bin, r), demand.peak, r, false);
      }
      if (below_safety && model_.supply(bin, r).overload_cost > 0) {
        lower(model_.supply(bin, r).safety - state_.load(bin, r), demand.usual, r, true);
      }
    }
    for (int k = model_.group_begin(probe_); k < model_.group_begin(probe_ + 1); ++k) {
      const int g = model_.group_list()[index(k)];
      const int most = model_.group(g).per_bin;
      if (most <= 0 || most - state_.group_count(g, bin) >= limit.fits) continue;
      limit.fits = most - state_.group_count(g, bin);
      limit.load = false;
      limit.next = {Obstacle::Kind::kGroupBin, g, 0};
    }
    return limit;
  }

  // Where a bin lacks spare already there is no room: what is asked is how many fit although any may fail.
  bool leaves_spare(const std::vector<std::int64_t>& more) { return spare_.count(more, 0) == 0; }

  // Bins in the order in which they would get one each, without a thought of failures, and of that order as
  // many as leave spare: the more there are, the less spare is left.
  std::vector<std::int64_t> prefix(bool emptiest_first) {
    const std::vector<int> order = emptiest_first ? emptiest() : smallest();
    const auto first = [&](std::size_t count) {
      std::vector<std::int64_t> more(index(model_.bins()), 0);
      for (std::size_t i = 0; i < count; ++i) ++more[index(order[i])];
      return more;
    };
    if (!keep_spare_) return first(order.size());
    std::size_t good = 0;
    for (std::size_t bad = order.size() + 1; bad - good > 1;) {
      const std::size_t middle = good + (bad - good) / 2;
      (leaves_spare(first(middle)) ? good : bad) = middle;
    }
    return first(good);
  }

  std::vector<int> emptiest() const {
    const int r = std::max(0, model_.spare_resource());
    const Amount size = model_.demand(probe_, r).peak;
    using Entry = std::pair<Amount, int>;  // room, -bin: of equals the first
    std::priority_queue<Entry> rooms;
    std::vector<std::int64_t> left;
    for (int bin = 0; bin < model_.bins(); ++bin) {
      left.push_back(limits_[index(bin)].fits);
      if (left.back() > 0) rooms.emplace(model_.capacity(bin, r) - state_.used(bin, r), -bin);
    }
    std::vector<int> order;
    while (!rooms.empty() && order.size() < static_cast<std::size_t>(kMost)) {
      const auto [room, minus] = rooms.top();
      rooms.pop();
      order.push_back(-minus);
      if (--left[index(-minus)] > 0) rooms.emplace(room - size, minus);
    }
    return order;
  }

  std::vector<int> smallest() const {
    const int r = std::max(0, model_.spare_resource());
    std::vector<int> bins;
    for (int bin = 0; bin < model_.bins(); ++bin) bins.push_back(bin);
    std::stable_sort(bins.begin(), bins.end(),
                     [&](int a, int b) { return model_.capacity(a, r) < model_.capacity(b, r); });
    std::vector<int> order;
    for (const int bin : bins) {
      const auto fits =
          std::min<std::int64_t>(limits_[index(bin)].fits, kMost - static_cast<std::int64_t>(order.size()));
      order.insert(order.end(), static_cast<std::size_t>(fits), bin);
    }
    return order;
  }

  // One more wherever it is allowed, until it is nowhere.
  std::vector<std::int64_t> grown(std::vector<std::int64_t> more) {
    if (!keep_spare_) return more;
    for (bool progress = true; progress && total(more) < kMost;) {
      progress = false;
      for (int bin = 0; bin < model_.bins(); ++bin) {
        if (more[index(bin)] >= limits_[index(bin)].fits) continue;
        ++more[index(bin)];
        if (leaves_spare(more)) {
          progress = true;
        } else {
          --more[index(bin)];
        }
      }
    }
    return more;
  }

  const State& state_;
  const Model& model_;
  int probe_;
  bool keep_spare_;
  Spare spare_;
  std::vector<HeadroomAnswer::Bin> limits_;
};

}  // namespace

HeadroomAnswer headroom(const State& state, int probe, bool keep_spare, bool below_safety) {
  return Filling(state, probe, keep_spare, below_safety).answer();
}

}  // namespace rackline::plan
