// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/time.h"
#include "memory_store.h"
#include "reserve/ledger_store.h"

namespace rackline::reserve {

using store::MemoryStore;

inline Quantities amounts(const std::string& text) {
  return parse_amounts(text);
}

}  // namespace rackline::reserve
