// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rackline {

// Names of decisions and incidents.
//
// A decider is a pure function of its input, so its ids cannot be random: the id is a hash (FNV-1a, 64 bit,
// 16 hex digits) of what is decided and on what facts. The same plan made twice from the same facts has the
// same ids, which is just what lets an actor recognise work that is done.
std::string derived_id(const std::vector<std::string_view>& parts);

// 16 lower-case hex digits.
std::string hex(std::uint64_t value);

// For what happens once, such as one run of a program: 16 hex digits from the kernel's random source.
std::string random_id();

// 64-bit FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/; `seed` chains calls.
std::uint64_t fnv1a(std::string_view bytes, std::uint64_t seed = 0xcbf29ce484222325ULL);

}  // namespace rackline
