// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "store/store.h"

namespace rackline::store {

// The store of one machine: one SQLite file in WAL mode with synchronous=FULL, so that what was committed
// survives a power cut. Its locks are flock(2) on files named PATH.NAME.lock beside it: the kernel gives them
// back when the holder dies, which no pid file and no row in a table does. The lock files stay when the locks
// are given back, since removing a file that another process has just opened would let two of them hold "the"
// lock.
std::unique_ptr<Store> open_sqlite(const std::string& path);

}  // namespace rackline::store
