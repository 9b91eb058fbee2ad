// SPDX-License-Identifier: Apache-2.0
#include "plan/reassign_kernel.h"

#include <cstddef>

namespace rackline::plan {
namespace {

template <class Load>
inline __attribute__((always_inline)) bool any(const typename Wide<Load>::Loads& flags) {
  Load all = 0;
  for (int c = 0; c < Wide<Load>::kLanes; ++c) all |= flags[c];
  return all != 0;
}

template <class Costs>
inline __attribute__((always_inline)) double total(const Costs& costs) {
  double sum = 0;
  for (std::size_t c = 0; c < sizeof(Costs) / sizeof(double); ++c) sum += costs[c];
  return sum;
}

template <class Load, class Vector = typename Wide<Load>::Loads, class Costs = typename Wide<Load>::Costs>
inline __attribute__((always_inline)) double shift(const Ground<Load>& ground, const Parcel<Load>& item,
                                                   const Place<Load>& from, const Place<Load>& to) {
  Vector bad{};
  for (int b = 0; b < ground.blocks; ++b)
    bad |= (item.to_start ? item.demand[b] & ground.lasting[b] : item.demand[b]) > to.room[b];
  if (any<Load>(bad)) return kNever;
  Costs sum{};
  const Vector zero{};
  for (int b = 0; b < ground.blocks; ++b) {
    const Vector d = item.demand[b];
    const Vector less = from.over[b] - d;
    const Vector more = to.over[b] + d;
    const Vector rise = (more > zero ? more : zero) - (to.over[b] > zero ? to.over[b] : zero);
    const Vector fall = (from.over[b] > zero ? from.over[b] : zero) - (less > zero ? less : zero);
    sum += ground.weights[b] * (__builtin_convertvector(rise, Costs) - __builtin_convertvector(fall, Costs));
  }
  return total(sum);
}

template <class Load, class Vector = typename Wide<Load>::Loads, class Costs = typename Wide<Load>::Costs>
inline __attribute__((always_inline)) double swap(const Ground<Load>& ground, const Parcel<Load>& one,
                                                  const Parcel<Load>& other, const Place<Load>& here,
                                                  const Place<Load>& there) {
  Vector bad{};
  for (int b = 0; b < ground.blocks; ++b) {
    const Vector lasting = ground.lasting[b];
    const Vector one_comes = one.to_start ? one.demand[b] & lasting : one.demand[b];
    const Vector one_goes = one.from_start ? one.demand[b] & lasting : one.demand[b];
    const Vector other_comes = other.to_start ? other.demand[b] & lasting : other.demand[b];
    const Vector other_goes = other.from_start ? other.demand[b] & lasting : other.demand[b];
    bad |= one_comes - other_goes > there.room[b];
    bad |= other_comes - one_goes > here.room[b];
  }
  if (any<Load>(bad)) return kNever;
  Costs sum{};
  const Vector zero{};
  for (int b = 0; b < ground.blocks; ++b) {
    const Vector more = one.demand[b] - other.demand[b];
    const Vector then_here = here.over[b] - more;
    const Vector then_there = there.over[b] + more;
    const Vector change_here =
        (then_here > zero ? then_here : zero) - (here.over[b] > zero ? here.over[b] : zero);
    const Vector change_there =
        (then_there > zero ? then_there : zero) - (there.over[b] > zero ? there.over[b] : zero);
    sum += ground.weights[b] *
           (__builtin_convertvector(change_here, Costs) + __builtin_convertvector(change_there, Costs));
  }
  return total(sum);
}

}  // namespace

// For the machine that they run on: wider registers make half as many trials again.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define RACKLINE_WIDE __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#else
#define RACKLINE_WIDE
#endif
#define RACKLINE_KERNELS(Load)                                                          \
  RACKLINE_WIDE double shift_cost(const Ground<Load>& ground, const Parcel<Load>& item, \
                                  const Place<Load>& from, const Place<Load>& to) {     \
    return shift<Load>(ground, item, from, to);                                         \
  }                                                                                     \
  RACKLINE_WIDE double swap_cost(const Ground<Load>& ground, const Parcel<Load>& one,   \
                                 const Parcel<Load>& other, const Place<Load>& here,    \
                                 const Place<Load>& there) {                            \
    return swap<Load>(ground, one, other, here, there);                                 \
  }
RACKLINE_KERNELS(std::int32_t)
RACKLINE_KERNELS(std::int64_t)

}  // namespace rackline::plan
