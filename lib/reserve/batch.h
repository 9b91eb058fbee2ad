// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "record/kind.h"
#include "record/reader.h"
#include "reserve/ledger_store.h"

namespace rackline::reserve {

// What became of one request of a stream, and the pools as the ledger had them then.
struct BatchAnswer {
  Answer<Granted> answer;
  record::Text cause;
  Second now = 0;
};

struct BatchSinks {
  std::function<void(const record::Reader&)> pass;  // a record that is no request, on another thread
  std::function<void(const BatchAnswer&)> answer;   // in the order of the requests
  std::function<void(const Pool&)> pool;            // that is claimed from, before its first answer
};

struct BatchOptions {
  bool atomic = false;   // all of them or none
  bool planned = false;  // nothing is kept
};

// Carries out the reservation_request records of a stream; true when all were granted. Those that have
// arrived by the time the ledger is free share one transaction: as many answers for one wait on the disk, and
// none is given before what it says is on disk. Throws Error(kUsage) for a record that cannot be read (those
// before it are carried out; of an atomic batch nothing is), and when a stream that a program wrote has no
// end.
bool claim_stream(LedgerStore& ledgers, const std::shared_ptr<record::Reader>& reader,
                  const BatchOptions& options, const BatchSinks& sinks);

}  // namespace rackline::reserve
