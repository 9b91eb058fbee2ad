// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rackline::reserve {

// How much of what. Everything is counted in whole base units, so that sums are exact: bytes, bits per
// second, and thousandths of a core or of a piece. Doubles were discarded: a ledger in which 0.1 + 0.2 is not
// 0.3 refuses the last claim that fits.

enum class Unit : std::uint8_t { kCores, kPieces, kBytes, kBits };
inline constexpr std::string_view kUnitNames[] = {"cores", "pieces", "bytes", "bits_per_second"};

// The most of anything that can be kept: what JSON readers hold exactly (8 PiB of bytes).
inline constexpr std::int64_t kMost = (std::int64_t{1} << 53) - 1;

// By the name of the resource, in base units.
using Amounts = std::map<std::string, std::int64_t>;

struct Quantity {
  std::int64_t base = 0;
  // Of a resource whose name does not say it ("scratch"), the unit is how the amount was written.
  Unit unit = Unit::kPieces;
};
using Quantities = std::map<std::string, Quantity>;

// cpu: cores; memory, disk, lun, storage: bytes; network: bits per second; nothing: any other name.
std::optional<Unit> unit_of(std::string_view resource);

// "cpu=4,memory=16GiB,network=1Gbit,gpu=2". Throws Error(kUsage) that says what is wrong with it: nothing in
// it, no number, a negative, zero or too large one, a fraction finer than the unit has, a unit of another
// kind of resource, a size without a unit that is too small to be meant in bytes, a resource twice. With
// `zero` an amount may be 0, as for a pool that is to have none of a resource.
Quantities parse_amounts(std::string_view text, bool zero = false);

Amounts bases(const Quantities& quantities);

inline std::string_view unit_name(Unit unit) {
  return kUnitNames[static_cast<std::size_t>(unit)];
}
std::optional<Unit> parse_unit(std::string_view name);

// As records have it: cores and pieces as numbers with at most three decimals, the others whole.
double to_number(std::int64_t base, Unit unit);
// Throws Error(kUsage) for a number that is negative, too large or too fine.
std::int64_t from_number(double number, Unit unit, std::string_view resource);

// "4", "0.5", "17179869184": a number of the unit, exact.
std::string plain(std::int64_t base, Unit unit);
// "16GiB", "4", "1Gbit": for messages to people.
std::string readable(std::int64_t base, Unit unit);

// "2", "1.5": thousandths. Throws Error(kUsage) unless it is more than 0 and at most 1000.
std::int64_t parse_ratio(std::string_view text);
// capacity * ratio, rounded down; never more than kMost.
std::int64_t times(std::int64_t capacity, std::int64_t ratio_thousandths);

}  // namespace rackline::reserve
