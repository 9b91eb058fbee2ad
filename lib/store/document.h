// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace rackline::store {

// What the values of the store are made of, and how text from anywhere becomes part of a key.
//
// A document is a plain struct with a table of its fields (describe.h), from which it is written, checked and
// read: a JSON object, compact, its fields in the order of the table. Records have such tables, too
// (record/kind.h). These are others, because a document nests and has neither headings nor a page in the
// manual, while a record is flat and is read at the speed of a stream. A field that the table lacks is of a
// later version and is ignored.

enum class Presence : std::uint8_t {
  kRequired,  // always written; what lacks it is no document of ours
  kLater,     // always written, an empty std::optional as null; older programs left it out
  kOmitted,   // left out while it is "", 0, false or without elements; an std::optional while it is empty
};

// A value of a document that is being written or read (describe.h).
class Value;
// Writes the member as the value, or reads it from there; false: it is not there as it should be.
using Pass = bool (*)(Value& value, void* member);

struct Field {
  std::string_view name;
  Presence presence;
  bool optional;  // the member is a std::optional
  Pass pass;      // takes the address of the document
};
// As many as there are; behind them all is null.
using Fields = std::array<Field, 24>;

bool pass_fields(Value& value, const Fields& fields, void* document);
template <class D>
bool pass_document(Value& value, void* document) {
  return pass_fields(value, D::kFields, document);
}

// Broken UTF-8 becomes U+FFFD, so that whatever a name holds can be written.
std::string to_text(Pass pass, const void* member);
// What is absent stays as it is in the member, and that may be half read when this is false.
bool from_text(std::string_view text, Pass pass, void* member);

template <class D>
std::string to_text(const D& document) {
  return to_text(pass_document<D>, &document);
}
template <class D>
std::optional<D> from_text(std::string_view text) {
  std::optional<D> document(std::in_place);
  if (!from_text(text, pass_document<D>, &*document)) document.reset();
  return document;
}

// Names of VMs and ids of records may hold anything: what a key cannot, and '/', is written as %XX.
std::string key_part(std::string_view text);
std::string from_key_part(std::string_view part);

}  // namespace rackline::store
