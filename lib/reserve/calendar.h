// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "record/kinds_reserve.h"
#include "reserve/ledger_store.h"
#include "reserve/listing.h"

namespace rackline::reserve {

struct Window {
  Second from = 0, until = 0;
  int columns = 56;
};

// Who holds what when, drawn: a scale, and for each pool a row for each resource (tenths of what may be
// granted that are held at the most, * for all of it), and a row for each reservation and loan below it.
std::vector<record::CalendarRow> calendar(store::Store& store, LedgerStore& ledgers, const Filter& filter,
                                          const Window& window, Second now);

// How many characters a chart may have beside the other columns of a table that is `whole` wide.
int chart_columns(const std::vector<record::CalendarRow>& rows, std::size_t whole);
// What the characters mean, and how long each is: a line for a person.
std::string legend(const Window& window);

// The window's own row: times of day or dates in local time, each standing where it begins.
std::string scale(const Window& window);

}  // namespace rackline::reserve
