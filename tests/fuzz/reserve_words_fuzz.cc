// SPDX-License-Identifier: Apache-2.0
// What people say to the reservation ledgers: amounts, times, recurrences, headroom and ratios are read, or
// refused by an Error; what was read is in range, and amounts are the same when they are written and read
// again. And what stands in a ledger: a document is taken apart, or refused.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "reserve/amount.h"
#include "reserve/model.h"
#include "reserve/recurrence.h"

namespace {

using namespace rackline::reserve;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class F>
void refuses_or(rackline::Status status, F&& parse) {
  try {
    parse();
  } catch (const rackline::Error& error) {
    require(error.status() == status);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  constexpr auto kUsage = rackline::Status::kUsage;
  refuses_or(kUsage, [&] {
    for (const auto& [name, quantity] : parse_amounts(text)) {
      require(quantity.base > 0 && quantity.base <= kMost);
      const bool sized = quantity.unit == Unit::kBytes || quantity.unit == Unit::kBits;
      const std::string again = name + "=" + plain(quantity.base, quantity.unit) +
                                (!sized                          ? ""
                                 : quantity.unit == Unit::kBytes ? "B"
                                                                 : "bit");
      require(parse_amounts(again).at(name).base == quantity.base);
    }
  });
  refuses_or(kUsage, [&] { parse_headroom(text); });
  refuses_or(kUsage, [&] { require(parse_ratio(text) > 0); });
  refuses_or(kUsage, [&] { parse_instant(text, 1'800'000'000); });
  refuses_or(kUsage, [&] {
    const auto rule = parse_recurrence(text);
    Second last = 0;
    for (const auto& span : occurrences(rule, {1'800'000'000, 1'800'000'000 + 30 * 86'400})) {
      require(span.from > last && span.from < span.until);
      last = span.until;
    }
  });
  refuses_or(rackline::Status::kUnreachable, [&] { claim_from("key", text); });
  refuses_or(rackline::Status::kUnreachable, [&] { loan_from("key", text); });
  refuses_or(rackline::Status::kUnreachable, [&] { pool_from("key", text); });
  return 0;
}
