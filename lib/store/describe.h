// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "store/document.h"

// For the files that describe documents, and for no others:
//
//     struct DrainMark { ...; static const store::Fields kFields; };
//     const store::Fields DrainMark::kFields{FIELD(DrainMark, reason), FIELD(DrainMark, until, kOmitted)};
//
// A field has its member's name, unless FIELD_AT gives it another. Behind the member stand its presence and,
// if not Plain, how it is written.
#define FIELD(K, member, ...) FIELD_AT(K, #member, member __VA_OPT__(, ) __VA_ARGS__)
#define FIELD_AT(K, name, path, ...)                                                            \
  ::rackline::store::field<decltype(std::declval<K&>().path) __VA_OPT__(, ) __VA_ARGS__>(       \
      name, [](::rackline::store::Value& value, void* document) {                               \
        return ::rackline::store::pass_as<__VA_ARGS__>(value, static_cast<K*>(document)->path); \
      })

namespace rackline::store {

inline constexpr auto kRequired = Presence::kRequired;
inline constexpr auto kLater = Presence::kLater;
inline constexpr auto kOmitted = Presence::kOmitted;

class Value {
 public:
  // `json` is the library's, which only document.cc knows.
  Value(void* json, bool reading) : json_(json), reading_(reading) {}

  bool reading() const { return reading_; }
  bool is_null() const;
  // These read or write.
  bool pass(std::string& text);
  bool pass(bool& flag);
  bool pass(std::int64_t& number);
  bool pass(std::chrono::sys_seconds& time);  // as text (base/time.h)
  bool pass(std::int64_t& number, std::span<const std::string_view> words);
  bool pass(const Fields& fields, void* document);
  // Reads the elements of a list or, `named`, of an object; false when it is none, or `take` says so.
  bool each(bool named, const std::function<bool(const std::string& name, Value element)>& take) const;
  // Writes such a thing without elements, and then one element after the other.
  void begin(bool named);
  Value add();
  Value add(const std::string& name);

 private:
  void* json_;
  bool reading_;
};

// How a member is written: as its type is; times as seconds since 1970; an enum, or a bool, as the word of
// its number in an array.
struct Plain {};
struct Seconds {};
template <const auto& List>
struct Words {
  static constexpr std::span<const std::string_view> kWords{List};
};

template <class T>
concept Optional = requires(T& member) {
  member.has_value();
};

template <class As = Plain, class T>
bool pass(Value& value, T& member) {
  if constexpr (Optional<T>) {
    if (value.reading()) return value.is_null() || pass<As>(value, member.emplace());
    return !member || pass<As>(value, *member);
  } else if constexpr (requires { member.pass(value); }) {  // what has a form of its own
    return member.pass(value);
  } else if constexpr (requires { T::kFields; }) {
    return value.pass(T::kFields, &member);
  } else if constexpr (requires { typename T::mapped_type; }) {
    if (value.reading()) {
      return value.each(true, [&member](const std::string& name, Value element) {
        return pass<As>(element, member[name]);
      });
    }
    value.begin(true);
    return std::all_of(member.begin(), member.end(), [&value](auto& each) {
      Value element = value.add(each.first);
      return pass<As>(element, each.second);
    });
  } else if constexpr (requires { typename T::value_type; } && !std::is_same_v<T, std::string>) {
    if (value.reading()) {
      return value.each(false, [&member](const std::string&, Value element) {
        typename T::value_type each{};
        if (!pass<As>(element, each)) return false;
        member.insert(member.end(), std::move(each));
        return true;
      });
    }
    value.begin(false);
    return std::all_of(member.begin(), member.end(), [&value](auto each) {
      Value element = value.add();
      return pass<As>(element, each);
    });
  } else if constexpr (requires { As::kWords; }) {
    auto number = static_cast<std::int64_t>(member);
    if (!value.pass(number, As::kWords)) return false;
    member = static_cast<T>(number);
    return true;
  } else if constexpr (requires { value.pass(member); } && std::is_same_v<As, Plain>) {
    return value.pass(member);
  } else if constexpr (requires { member.time_since_epoch(); }) {
    auto since = member.time_since_epoch();
    if (!pass(value, since)) return false;
    member = T(since);
    return true;
  } else if constexpr (requires { member.count(); }) {
    std::int64_t number = member.count();
    if (!value.pass(number)) return false;
    member = T(number);
    return true;
  } else {
    auto number = std::int64_t{member};
    if (!value.pass(number) || !std::in_range<T>(number)) return false;
    member = static_cast<T>(number);
    return true;
  }
}

template <Presence = kRequired, class As = Plain, class T>
bool pass_as(Value& value, T& member) {
  return pass<As>(value, member);
}

template <class T, Presence P = kRequired, class As = Plain>
constexpr Field field(std::string_view name, Pass pass) {
  return {name, P, Optional<T>, pass};
}

}  // namespace rackline::store
