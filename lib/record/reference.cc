// SPDX-License-Identifier: Apache-2.0
#include "record/reference.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

using Json = nlohmann::ordered_json;

Json type_schema(Type type) {
  switch (type) {
    case Type::kString:
      return {{"type", "string"}};
    case Type::kInteger:
      return {{"type", "integer"}};
    case Type::kNumber:
      return {{"type", "number"}};
    case Type::kBoolean:
      return {{"type", "boolean"}};
    case Type::kTime:
      return {{"type", "string"}, {"pattern", "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$"}};
    case Type::kStrings:
      return {{"type", "array"}, {"items", {{"type", "string"}}}};
  }
  return {};
}

Json kind_schema(const Kind& kind) {
  Json properties = {{"kind", {{"const", kind.name}}}};
  Json needed = {"kind"};
  for (const Field& field : kind.fields) {
    Json type = type_schema(field.type);
    if (may_be_absent(kind, field)) type["type"] = Json::array({type["type"], "null"});
    type["description"] = field.text;
    if (!may_be_absent(kind, field)) needed.push_back(field.name);
    properties[std::string(field.name)] = std::move(type);
  }
  Json whole = {{"title", kind.name},
                {"description", kind.text},
                {"type", "object"},
                {"properties", std::move(properties)},
                {"required", std::move(needed)}};
  if (kind.strict) whole["additionalProperties"] = false;
  return whole;
}

constexpr std::string_view role_name(Role role) {
  switch (role) {
    case Role::kConfiguration:
      return "configuration";
    case Role::kFact:
      return "fact";
    case Role::kDecision:
      return "decision";
    case Role::kResult:
      return "result";
    case Role::kSummary:
      return "summary";
    case Role::kControl:
      return "control";
  }
  return "";
}

constexpr std::string_view type_name(Type type) {
  switch (type) {
    case Type::kString:
      return "string";
    case Type::kInteger:
      return "integer";
    case Type::kNumber:
      return "number";
    case Type::kBoolean:
      return "boolean";
    case Type::kTime:
      return "time";
    case Type::kStrings:
      return "list of strings";
  }
  return "";
}

// Running text as mdoc wants it: at most 78 columns, a new sentence on a new line, and no word that would be
// taken for a request or an escape.
std::string running(std::string_view text) {
  constexpr std::size_t kColumns = 78;
  std::string out;
  std::string line;
  const auto finish = [&] {
    out += line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.size() + 1 + word.size() > kColumns) finish();
    if (!line.empty()) line += ' ';
    if (line.empty() && (word.starts_with('.') || word.starts_with('\''))) line += "\\&";
    for (const char c : word) {
      line += c;
      if (c == '\\') line += 'e';
    }
    if (word.ends_with('.')) finish();
  }
  if (!line.empty()) finish();
  return out;
}

constexpr std::string_view kManualHead = R"(.Dd $Mdocdate$
.Dt RACKLINE-RECORDS 5
.Os
.Sh NAME
.Nm rackline-records
.Nd the records that the programs of rackline exchange
.Sh DESCRIPTION
A stream is a sequence of lines, each one JSON object in UTF-8.
Every record begins with
.Cm kind ,
.Cm time
and
.Cm tool ;
decisions and results carry an
.Cm id ,
and a result has the
.Cm id
of its decision.
A time is RFC 3339 in UTC with whole seconds and
.Ql Z .
The unit of a number is the suffix of its name; numbers are never rounded for
people.
What is not known is
.Cm null .
.Pp
The last record of every stream is
.Cm end :
a stream without it was cut off because its producer died, and no actor acts
on it.
.Pp
What a program has counted stands in
.Cm end
if every actor counts it, and otherwise in a summary just before it, which
filters hand on like any record.
.Pp
A fact that cannot be read is reported, left out and counted.
A decision that cannot be read makes the actor refuse all of them.
Fields and kinds are only ever added; readers ignore fields that they do not
know, and filters hand on kinds that they do not know.
A plan of a newer program is so understood by an older one.
What people write by hand and a program carries out at once is not read so
generously: a
.Cm reservation_request
with a field that is not described cannot be read, because a misspelt end would
make it endless.
People who write records by hand
.Pq the kinds marked as configuration
may leave out
.Cm time
and
.Cm tool .
.Sh KINDS
)";

constexpr std::string_view kManualTail = R"(.Sh EXAMPLES
The servers that use most of a CPU:
.Bd -literal -offset indent
capwatch | jq -r 'select(.kind=="vm_sample" and .cpu_cores>0.8) | .vm'
.Ed
.Pp
A program between two others of a pipe must not hold records back:
.Bd -literal -offset indent
capwatch --interval 10s | jq --unbuffered -c 'select(.host!="h9")' | capplan balance | migrate
.Ed
.Sh SEE ALSO
.Xr capplan 1 ,
.Xr capwatch 1 ,
.Xr migrate 1 ,
.Xr rackline-records 1 ,
.Xr rackline 7
)";

}  // namespace

std::string schema(const std::string& kind) {
  Json document = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}};
  if (kind.empty()) {
    Json all = Json::array();
    for (const Kind* each : kinds()) all.push_back(kind_schema(*each));
    document["oneOf"] = std::move(all);
  } else {
    const Kind* one = find_kind(kind);
    if (one == nullptr) {
      throw Error(Status::kUsage, "print the schema", kind, "no such kind", "rackline-records lists them");
    }
    document.update(kind_schema(*one));
  }
  return document.dump(2) + "\n";
}

std::string manual() {
  std::string text{kManualHead};
  // A fixed date would lie and the build's date would make builds differ: mdoc's own placeholder is neither.
  for (const Kind* kind : kinds()) {
    text += ".Ss " + std::string(kind->name) + "\n" + running(kind->text) + ".Pp\n";
    text += running("A " + std::string(role_name(kind->role)) + ", written by " +
                    std::string(kind->written_by) + ", read by " + std::string(kind->read_by) + ".");
    text += ".Bl -tag -width Ds\n";
    for (const Field& field : kind->fields) {
      if (field.name == "time" || field.name == "tool") continue;  // said once, above
      text += ".It Cm " + std::string(field.name) + " Pq " + std::string(type_name(field.type)) +
              (field.presence == Presence::kRequired ? "" : " or null") + "\n" +
              running(std::string(field.text) + ".");
    }
    text += ".El\n";
  }
  return text + std::string(kManualTail);
}

std::string overview() {
  std::size_t name_width = 0;
  std::size_t writer_width = 0;
  for (const Kind* kind : kinds()) {
    name_width = std::max(name_width, kind->name.size());
    writer_width = std::max(writer_width, kind->written_by.size());
  }
  std::string text;
  for (const Kind* kind : kinds()) {
    text += std::string(kind->name) + std::string(name_width + 2 - kind->name.size(), ' ');
    text += std::string(kind->written_by) + std::string(writer_width + 2 - kind->written_by.size(), ' ');
    text += std::string(kind->text) + "\n";
  }
  return text;
}

}  // namespace rackline::record
