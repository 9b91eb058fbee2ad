// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "record/kinds_reserve.h"
#include "store/store.h"

namespace rackline::reserve {

// Adds up the whole ledger anew, from the reservations and loans alone, and compares: that no pool grants
// more than it has at any instant, that the trees of sums say just that, that loans are within their rules,
// that every id leads to its document, and that the tree of pools is one. It shares nothing with the ledger's
// own sums but the forms of the documents. For instants before a pool's sizes last changed only what still
// concerns them is looked at.
//
// Reads all documents once, in one snapshot, in memory of some 60 bytes for each change of a pool's sum.
record::LedgerCheck check(store::Store& store, const std::function<void(const record::LedgerFault&)>& fault);

}  // namespace rackline::reserve
