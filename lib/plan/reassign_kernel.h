// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>

namespace rackline::plan {

// The innermost arithmetic of reassign(): what a step costs, over all resources at once.

// Vectors of GCC and clang, which become what the machine has. 256 bits wide: one holds all resources of most
// problems.
template <class Load>
struct Wide;
template <>
struct Wide<std::int32_t> {
  typedef std::int32_t Loads __attribute__((vector_size(32)));
  typedef double Costs __attribute__((vector_size(64)));
  static constexpr int kLanes = 8;
};
template <>
struct Wide<std::int64_t> {
  typedef std::int64_t Loads __attribute__((vector_size(32)));
  typedef double Costs __attribute__((vector_size(32)));
  static constexpr int kLanes = 4;
};

// The demands of an item on its way. What is transient stays at its start as well, and so needs no room there
// when it comes back, and leaves none when it goes.
template <class Load>
struct Parcel {
  const typename Wide<Load>::Loads* demand;
  bool from_start;
  bool to_start;
};

// Rows of `blocks` vectors. `lasting`: all bits where the resource is not transient.
template <class Load>
struct Ground {
  int blocks;
  const typename Wide<Load>::Loads* lasting;
  const typename Wide<Load>::Costs* weights;
};

// Of a bin: what may still come, and the load above the safety (negative below it).
template <class Load>
struct Place {
  const typename Wide<Load>::Loads* room;
  const typename Wide<Load>::Loads* over;
};

constexpr double kNever = std::numeric_limits<double>::infinity();

// What the cost of two bins rises by when an item goes from one to the other, and when `one` at `here` and
// `other` at `there` change places; kNever when there is no room. Named, as functions of several versions
// cannot be templates.
double shift_cost(const Ground<std::int32_t>& ground, const Parcel<std::int32_t>& item,
                  const Place<std::int32_t>& from, const Place<std::int32_t>& to);
double shift_cost(const Ground<std::int64_t>& ground, const Parcel<std::int64_t>& item,
                  const Place<std::int64_t>& from, const Place<std::int64_t>& to);
double swap_cost(const Ground<std::int32_t>& ground, const Parcel<std::int32_t>& one,
                 const Parcel<std::int32_t>& other, const Place<std::int32_t>& here,
                 const Place<std::int32_t>& there);
double swap_cost(const Ground<std::int64_t>& ground, const Parcel<std::int64_t>& one,
                 const Parcel<std::int64_t>& other, const Place<std::int64_t>& here,
                 const Place<std::int64_t>& there);

}  // namespace rackline::plan
