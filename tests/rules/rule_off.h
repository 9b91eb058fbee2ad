// SPDX-License-Identifier: Apache-2.0
// What the clauses of safety rules depend on in the copy that run.sh builds. No program that is installed has
// it.
#pragma once

#include <cstdlib>
#include <initializer_list>
#include <string_view>
#include <type_traits>

namespace rule_off {

// The name of the rule that does without its clauses; empty: all are in place.
inline const std::string_view chosen = [] {
  const char* name = std::getenv("RULE_OFF");
  return name == nullptr ? "" : name;
}();

inline bool any(std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    if (name == chosen) return true;
  }
  return false;
}

}  // namespace rule_off

// Found out once at each place: some clauses are in the innermost loops.
#define RULE_OFF(...)                                     \
  ([] {                                                   \
    static const bool off = rule_off::any({__VA_ARGS__}); \
    return off;                                           \
  }())
