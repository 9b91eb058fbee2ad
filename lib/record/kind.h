// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace rackline::record {

// The description of a kind of record: the one source of what the reader checks, of the JSON schema, of the
// tables on a terminal and of rackline-records(5).
//
// A kind is a plain struct; its description is a table of fields, each with the address of its member behind
// a function pointer. Templates that unroll a struct at compile time were discarded: one loop over a table
// serves every kind, keeps the JSON libraries out of the headers, and measured as fast.

using Time = std::chrono::sys_seconds;

enum class Type : std::uint8_t { kString, kInteger, kNumber, kBoolean, kTime, kStrings };

// What the reader demands of a field, and how the writer shows an empty one.
enum class Presence : std::uint8_t {
  kRequired,  // must be there with its type
  kNullable,  // absent or null means unknown; written as null (the member is a std::optional)
  kOmitted,   // as kNullable, but left out when empty: for what does not apply to most records of the kind
  kSeldom,    // as kOmitted, and a table has the column only if one of its rows has a value in it
  kPreset,    // a program always writes it, a person need not: the member, no std::optional, is then T{}
};

struct Field {
  std::string_view name;
  Type type;
  Presence presence;
  bool optional;                  // the member is a std::optional<T> rather than a T
  void* (*member)(void* record);  // the address of the member
  std::string_view text;          // one sentence for rackline-records(5); the unit is in the name
  std::string_view column;        // heading in a table; empty: shown only with -v
};

enum class Role : std::uint8_t {
  kConfiguration,  // written by people
  kFact,           // what an observer saw; one that cannot be read is skipped and counted
  kDecision,       // what a decider wants done; one that cannot be read makes the actor refuse the rest
  kResult,         // what an actor did
  kSummary,        // what only one program counts, written just before its `end`
  kControl,        // about the stream itself
};

struct Kind {
  std::string_view name;
  Role role;
  std::string_view text;
  std::string_view written_by;
  std::string_view read_by;
  std::span<const Field> fields;
  // A field that is not described is a mistake, and not a later version's. For what a person writes and a
  // program carries out: a misspelt end would make it endless.
  bool strict = false;
};

// Whether a record may lack the field. What people write has no head: they do not keep its time.
inline bool may_be_absent(const Kind& kind, const Field& field) {
  if (field.presence != Presence::kRequired) return true;
  return (kind.role == Role::kConfiguration || kind.role == Role::kDecision) &&
         (field.name == "time" || field.name == "tool");
}

// The head that every record has beside its `kind`.
struct Head {
  Time time{};
  std::string tool;
};

// What need not be there, or not be known.
using Text = std::optional<std::string>;
using Integer = std::optional<std::int64_t>;
using Number = std::optional<double>;
using Flag = std::optional<bool>;
using List = std::optional<std::vector<std::string>>;

// The Type of a member, through std::optional.
template <class T>
struct Member {
  static constexpr bool kOptional = false;
  using Value = T;
};
template <class T>
struct Member<std::optional<T>> {
  static constexpr bool kOptional = true;
  using Value = T;
};

template <class T>
constexpr Type type_of() {
  if constexpr (std::is_same_v<T, std::string>) return Type::kString;
  if constexpr (std::is_same_v<T, std::int64_t>) return Type::kInteger;
  if constexpr (std::is_same_v<T, double>) return Type::kNumber;
  if constexpr (std::is_same_v<T, bool>) return Type::kBoolean;
  if constexpr (std::is_same_v<T, Time>) return Type::kTime;
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return Type::kStrings;
}

// A field of the kind K held in the member M.
template <class K, auto M>
constexpr Field field(std::string_view name, std::string_view text, std::string_view column = {},
                      Presence presence = Presence::kNullable) {
  using T = std::remove_cvref_t<decltype(std::declval<K&>().*M)>;
  constexpr bool kOptional = Member<T>::kOptional;
  return {name,
          type_of<typename Member<T>::Value>(),
          kOptional || presence == Presence::kPreset ? presence : Presence::kRequired,
          kOptional,
          [](void* record) -> void* { return &(static_cast<K*>(record)->*M); },
          text,
          column};
}

}  // namespace rackline::record
