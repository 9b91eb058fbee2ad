// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "record/kind.h"

// For the files that describe kinds, and for no others. A member's name is its field's name: the macro keeps
// the two from drifting apart.
#define FIELD(K, member, ...) field<K, &K::member>(#member, __VA_ARGS__)
#define HEAD(K) \
  FIELD(K, time, "when it was observed, decided or done"), FIELD(K, tool, "the program that wrote the record")

namespace rackline::record {

inline constexpr auto kOmitted = Presence::kOmitted;
inline constexpr auto kSeldom = Presence::kSeldom;
inline constexpr auto kPreset = Presence::kPreset;

}  // namespace rackline::record
