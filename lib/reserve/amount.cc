// SPDX-License-Identifier: Apache-2.0
#include "reserve/amount.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/units.h"

namespace rackline::reserve {
namespace {

constexpr std::int64_t kThousandths = 1000;
// Nobody reserves less memory than this: "memory=512" is a forgotten unit.
constexpr std::int64_t kSmallestBareBytes = std::int64_t{1} << 20;

[[noreturn]] void refuse(std::string_view text, const std::string& why, const std::string& hint = {}) {
  throw Error(Status::kUsage, "read amount", std::string(text), why, hint);
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 && name.front() >= 'a' && name.front() <= 'z' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
         });
}

// Decimal digits with an optional fraction, times `scale`; nothing for anything else.
enum class Flaw { kNone, kNoNumber, kNegative, kTooLarge, kTooFine };
Flaw parse_scaled(std::string_view digits, std::int64_t scale, std::int64_t& value) {
  if (digits.starts_with('-')) {
    const Flaw flaw = parse_scaled(digits.substr(1), scale, value);
    return flaw == Flaw::kNoNumber ? flaw : Flaw::kNegative;
  }
  const auto point = digits.find('.');
  const std::string_view whole = digits.substr(0, point);
  std::string_view fraction = point == std::string_view::npos ? std::string_view{} : digits.substr(point + 1);
  const auto is_digits = [](std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (!is_digits(whole) || (point != std::string_view::npos && !is_digits(fraction))) return Flaw::kNoNumber;
  std::int64_t number = 0;
  const auto read = std::from_chars(whole.data(), whole.data() + whole.size(), number);
  if (read.ec != std::errc{} || number > kMost / scale) return Flaw::kTooLarge;
  number *= scale;
  while (fraction.ends_with('0')) fraction.remove_suffix(1);
  std::int64_t place = scale;
  for (const char c : fraction) {
    if (place % 10 != 0) return Flaw::kTooFine;
    place /= 10;
    number += (c - '0') * place;
  }
  if (number > kMost) return Flaw::kTooLarge;
  value = number;
  return Flaw::kNone;
}

void demand(Flaw flaw, std::string_view text, Unit unit) {
  switch (flaw) {
    case Flaw::kNone:
      return;
    case Flaw::kNoNumber:
      refuse(text, "expected a number, as in cpu=4 or memory=16GiB");
    case Flaw::kNegative:
      refuse(text, "an amount is never negative");
    case Flaw::kTooLarge:
      refuse(text, "more than can be kept (" + readable(kMost, unit) + ")");
    case Flaw::kTooFine:
      refuse(text, unit == Unit::kBits     ? "finer than one bit per second"
                   : unit == Unit::kPieces ? "it is counted in pieces, and there is no part of one"
                                           : "finer than a thousandth");
  }
}

std::optional<std::int64_t> bits_factor(std::string_view suffix) {
  if (suffix.ends_with("/s")) suffix.remove_suffix(2);
  if (suffix == "bit") return 1;
  if (suffix == "kbit" || suffix == "Kbit") return 1'000;
  if (suffix == "Mbit") return 1'000'000;
  if (suffix == "Gbit") return 1'000'000'000;
  if (suffix == "Tbit") return 1'000'000'000'000;
  return std::nullopt;
}

std::int64_t parse_size(std::string_view text, std::string_view value) {
  if (value.starts_with('-')) refuse(text, "an amount is never negative");
  // A fraction of a unit is meant often enough ("1.5TiB"), one of a byte never.
  if (value.find('.') != std::string_view::npos &&
      (value.ends_with('B') || std::isdigit(value.back()) != 0) &&
      value.find_first_of("KMGTPEk") == std::string_view::npos) {
    refuse(text, "finer than one byte");
  }
  std::int64_t bytes = 0;
  try {
    bytes = parse_bytes(value);
  } catch (const Error& error) {
    refuse(text, error.why());
  }
  if (bytes > kMost) refuse(text, "more than can be kept (" + readable(kMost, Unit::kBytes) + ")");
  return bytes;
}

Quantity parse_one(std::string_view text, std::string_view name, std::string_view value) {
  const auto known = unit_of(name);
  const auto letters = value.find_first_not_of("+-.0123456789");
  const std::string_view suffix = letters == std::string_view::npos ? "" : value.substr(letters);
  const bool as_bits = suffix.find("bit") != std::string_view::npos;
  const bool as_bytes = !as_bits && suffix.ends_with('B');
  const Unit unit = known ? *known : as_bits ? Unit::kBits : as_bytes ? Unit::kBytes : Unit::kPieces;
  Quantity quantity{0, unit};
  switch (unit) {
    case Unit::kCores:
    case Unit::kPieces:
      if (!suffix.empty() && (as_bits || as_bytes)) {
        refuse(text, std::string(name) + " is counted in " + std::string(unit_name(unit)) + ", not in " +
                         (as_bits ? "bits per second" : "bytes"));
      }
      demand(parse_scaled(value, kThousandths, quantity.base), text, unit);
      if (unit == Unit::kPieces && quantity.base % kThousandths != 0) demand(Flaw::kTooFine, text, unit);
      break;
    case Unit::kBytes:
      if (as_bits) refuse(text, std::string(name) + " is counted in bytes, not in bits per second");
      quantity.base = parse_size(text, value);
      if (suffix.empty() && quantity.base > 0 && quantity.base < kSmallestBareBytes) {
        refuse(text, "which unit is meant?",
               "write " + std::string(name) + "=" + std::string(value) + "GiB, or " + std::string(value) +
                   "B for bytes");
      }
      break;
    case Unit::kBits: {
      if (as_bytes) refuse(text, std::string(name) + " is counted in bits per second, not in bytes");
      const auto factor = bits_factor(suffix);
      if (!factor) {
        refuse(text, "which unit is meant?", "write " + std::string(name) + "=1Gbit, Mbit, kbit or bit");
      }
      demand(parse_scaled(value.substr(0, letters), *factor, quantity.base), text, unit);
      break;
    }
  }
  return quantity;
}

}  // namespace

std::optional<Unit> unit_of(std::string_view resource) {
  if (resource == "cpu") return Unit::kCores;
  if (resource == "memory" || resource == "disk" || resource == "lun" || resource == "storage") {
    return Unit::kBytes;
  }
  if (resource == "network") return Unit::kBits;
  return std::nullopt;
}

Quantities parse_amounts(std::string_view text, bool zero) {
  Quantities amounts;
  std::string_view rest = text;
  do {
    const auto comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    const auto equals = one.find('=');
    if (equals == std::string_view::npos || equals + 1 == one.size()) {
      refuse(text.empty() ? "\"\"" : text, "expected RESOURCE=AMOUNT,..., as in cpu=4,memory=16GiB");
    }
    const std::string_view name = one.substr(0, equals);
    if (!is_name(name)) refuse(one, "the name of a resource is of a-z 0-9 _ - ., and begins with a letter");
    const Quantity quantity = parse_one(one, name, one.substr(equals + 1));
    if (quantity.base == 0 && !zero) refuse(one, "nothing is asked for");
    if (!amounts.emplace(name, quantity).second) refuse(text, std::string(name) + " stands there twice");
    if (comma != std::string_view::npos && rest.empty()) refuse(text, "nothing stands behind the last comma");
  } while (!rest.empty());
  return amounts;
}

Amounts bases(const Quantities& quantities) {
  Amounts amounts;
  for (const auto& [name, quantity] : quantities) amounts[name] = quantity.base;
  return amounts;
}

std::optional<Unit> parse_unit(std::string_view name) {
  for (const Unit unit : {Unit::kCores, Unit::kPieces, Unit::kBytes, Unit::kBits}) {
    if (unit_name(unit) == name) return unit;
  }
  return std::nullopt;
}

double to_number(std::int64_t base, Unit unit) {
  const auto number = static_cast<double>(base);
  return unit == Unit::kCores || unit == Unit::kPieces ? number / static_cast<double>(kThousandths) : number;
}

std::int64_t from_number(double number, Unit unit, std::string_view resource) {
  const std::string text = std::string(resource) + "=" + std::to_string(number);
  if (!(number > 0)) refuse(text, number < 0 ? "an amount is never negative" : "nothing is asked for");
  const bool thousandths = unit == Unit::kCores || unit == Unit::kPieces;
  const double base = thousandths ? number * static_cast<double>(kThousandths) : number;
  if (!(base <= static_cast<double>(kMost))) refuse(text, "more than can be kept");
  // A number that came as decimal text is within rounding of its thousandths, or it has finer digits.
  if (std::abs(base - std::round(base)) > base * std::numeric_limits<double>::epsilon() * 4) {
    refuse(text, thousandths ? "finer than a thousandth" : "finer than one");
  }
  return std::llround(base);
}

std::string plain(std::int64_t base, Unit unit) {
  if (unit != Unit::kCores && unit != Unit::kPieces) return std::to_string(base);
  std::string text = std::to_string(base / kThousandths);
  if (std::int64_t rest = std::abs(base % kThousandths); rest != 0) {
    if (base < 0 && base > -kThousandths) text = "-0";
    std::string digits = std::to_string(kThousandths + rest).substr(1);
    while (digits.ends_with('0')) digits.pop_back();
    text += "." + digits;
  }
  return text;
}

std::string readable(std::int64_t base, Unit unit) {
  if (unit == Unit::kBytes) return base < 0 ? "-" + format_bytes(-base) : format_bytes(base);
  if (unit != Unit::kBits) return plain(base, unit);
  constexpr std::pair<std::int64_t, const char*> kSteps[] = {
      {1'000'000'000'000, "Tbit"}, {1'000'000'000, "Gbit"}, {1'000'000, "Mbit"}, {1'000, "kbit"}};
  for (const auto& [factor, name] : kSteps) {
    if (base >= factor && base % (factor / 1000) == 0)
      return plain(base / (factor / 1000), Unit::kCores) + name;
  }
  return std::to_string(base) + "bit";
}

std::int64_t parse_ratio(std::string_view text) {
  std::int64_t ratio = 0;
  const Flaw flaw = parse_scaled(text, kThousandths, ratio);
  if (flaw != Flaw::kNone || ratio <= 0 || ratio > kThousandths * kThousandths) {
    throw Error(Status::kUsage, "read overcommit ratio", std::string(text),
                "expected a number above 0 and up to 1000, with at most three decimals");
  }
  return ratio;
}

std::int64_t times(std::int64_t capacity, std::int64_t ratio_thousandths) {
  __extension__ using Wide = __int128;
  const Wide product = static_cast<Wide>(capacity) * ratio_thousandths / kThousandths;
  return product > kMost ? kMost : static_cast<std::int64_t>(product);
}

}  // namespace rackline::reserve
