// SPDX-License-Identifier: Apache-2.0
#include "audit/line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/time.h"

namespace rackline::audit {
namespace {

constexpr std::array<std::string_view, 8> kNames{"audit_begin",      "audit_record",   "audit_close",
                                                 "audit_checkpoint", "audit_repaired", "audit_rotated",
                                                 "audit_redacted",   "audit_truncated"};
constexpr std::string_view kStart = R"({"kind":")";
constexpr std::string_view kTime = R"(","time":")";
constexpr std::string_view kTool = R"(","tool":"audit","seq":)";
constexpr std::string_view kSalt = R"(,"salt":")";
constexpr std::string_view kSalts = R"(,"salts":[)";
constexpr std::string_view kText = R"(],"text":")";
constexpr std::string_view kRoot = R"(,"root":")";
constexpr std::string_view kHash = R"(","hash":")";
constexpr std::string_view kRedactedStart = R"({"redacted":")";
constexpr std::string_view kRecordName = "record";
constexpr std::size_t kTimeSize = 20, kDigestHex = 64, kSaltHex = 32;
// "root":"...","hash":"..."}
constexpr std::size_t kTail = kRoot.size() + kDigestHex + kHash.size() + kDigestHex + 2;

bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && blank(text[at])) ++at;
  return at;
}

// Behind the string that begins at `at`; npos when it does not end.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// Behind the value that begins at `at`.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  if (at >= text.size()) return std::string_view::npos;
  if (text[at] == '"') return end_of_string(text, at);
  if (text[at] != '{' && text[at] != '[') {
    const auto end = text.find_first_of(",}] \t\r\n", at);
    return end == at ? std::string_view::npos : end;
  }
  std::size_t depth = 0;
  for (std::size_t i = at; i < text.size();) {
    const char c = text[i];
    if (c == '"') {
      i = end_of_string(text, i);
      if (i == std::string_view::npos) return i;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return i + 1;
    ++i;
  }
  return std::string_view::npos;
}

Salt salt_of(const Salt& seed, std::uint32_t index) {
  std::array<char, 4> number{};
  for (std::uint32_t i = 0; i < 4; ++i) number[i] = static_cast<char>(index >> (24 - 8 * i) & 255U);
  const Digest digest = sha256({bytes_of(seed), {number.data(), number.size()}});
  Salt salt{};
  std::copy_n(digest.begin(), salt.size(), salt.begin());
  return salt;
}

Digest commitment(const Salt& salt, std::string_view name, std::string_view value) {
  return sha256({bytes_of(salt), name, ":", value});
}

Digest root_of(const std::vector<Digest>& commitments) {
  return sha256({{reinterpret_cast<const char*>(commitments.data()), commitments.size() * sizeof(Digest)}});
}

Digest root_of(const Fields& fields, const Salt& seed) {
  std::vector<Digest> commitments;
  commitments.reserve(fields.names.size());
  for (std::size_t i = 0; i < fields.names.size(); ++i)
    commitments.push_back(
        commitment(salt_of(seed, static_cast<std::uint32_t>(i)), fields.names[i], fields.values[i]));
  return root_of(commitments);
}

// The members of a line's own object, up to its salts.
std::optional<Fields> fields_before_salts(std::string_view head) {
  const std::string copy = std::string(head) + "}";
  const auto own = members_of(copy);
  if (!own) return std::nullopt;
  Fields fields;
  // The views are of the copy; they are wanted in `head`, which lives on.
  const auto here = [&](std::string_view view) {
    return head.substr(static_cast<std::size_t>(view.data() - copy.data()), view.size());
  };
  for (const auto& [name, value] : *own) {
    if (name != kRecordName) {
      fields.names.emplace_back(name);
      fields.values.push_back(here(value));
      continue;
    }
    const auto inner = members_of(here(value));
    if (!inner) return std::nullopt;
    for (const auto& [inner_name, inner_value] : *inner) {
      fields.names.push_back("record." + std::string(inner_name));
      fields.values.push_back(inner_value);
    }
  }
  return fields;
}

// Where the salt or the salts begin, in the part of a line before its root.
std::size_t salts_of(std::string_view head, bool& redacted) {
  redacted = false;
  if (head.size() > kSalt.size() + kSaltHex + 1) {
    const std::size_t at = head.size() - kSaltHex - 1 - kSalt.size();
    if (head.substr(at, kSalt.size()) == kSalt && head.back() == '"') return at;
  }
  redacted = true;
  return head.rfind(kSalts);
}

struct RedactedTail {
  std::vector<std::optional<Salt>> salts;
  Digest text{};
};

// ,"salts":["...",""],"text":"..."
std::optional<RedactedTail> read_salts(std::string_view tail) {
  if (!tail.starts_with(kSalts)) return std::nullopt;
  tail.remove_prefix(kSalts.size());
  RedactedTail read;
  for (;;) {
    if (tail.starts_with("\"\"")) {
      read.salts.emplace_back();
      tail.remove_prefix(2);
    } else {
      if (tail.size() < kSaltHex + 2 || tail.front() != '"' || tail[kSaltHex + 1] != '"') return std::nullopt;
      const auto salt = from_hex<Salt>(tail.substr(1, kSaltHex));
      if (!salt) return std::nullopt;
      read.salts.push_back(salt);
      tail.remove_prefix(kSaltHex + 2);
    }
    if (!tail.starts_with(',')) break;
    tail.remove_prefix(1);
  }
  if (tail.size() != kText.size() + kDigestHex + 1 || !tail.starts_with(kText) || tail.back() != '"')
    return std::nullopt;
  const auto text = from_hex<Digest>(tail.substr(kText.size(), kDigestHex));
  if (!text) return std::nullopt;
  read.text = *text;
  return read;
}

std::optional<Digest> redacted_value(std::string_view value) {
  if (value.size() != kRedactedStart.size() + kDigestHex + 2 || !value.starts_with(kRedactedStart) ||
      !value.ends_with("\"}"))
    return std::nullopt;
  return from_hex<Digest>(value.substr(kRedactedStart.size(), kDigestHex));
}

// The line's part before its salts, written anew from its fields: what it must be, byte for byte.
std::string rebuilt(const Fields& fields) {
  std::string text = "{";
  bool in_record = false;
  for (std::size_t i = 0; i < fields.names.size(); ++i) {
    std::string_view name = fields.names[i];
    const bool of_record = name.starts_with("record.");
    if (in_record && !of_record) text += '}';
    if (i > 0 && !(of_record && !in_record)) text += ',';
    if (of_record && !in_record) text += R"(,"record":{)";
    in_record = of_record;
    if (of_record) name.remove_prefix(kRecordName.size() + 1);
    text += '"';
    text += name;
    text += "\":";
    text += fields.values[i];
  }
  if (in_record) text += '}';
  return text;
}

// Why a redacted line cannot be what it was; empty: it can.
std::string check_redacted(std::string_view head, std::size_t salts_at, LineInfo& info) {
  const auto tail = read_salts(head.substr(salts_at));
  if (!tail) return "its salts cannot be read";
  const auto fields = fields_before_salts(head.substr(0, salts_at));
  if (!fields || fields->names.size() != tail->salts.size() || rebuilt(*fields) != head.substr(0, salts_at))
    return "its fields cannot be read";
  std::vector<Digest> commitments;
  for (std::size_t i = 0; i < fields->names.size(); ++i) {
    if (tail->salts[i]) {
      commitments.push_back(commitment(*tail->salts[i], fields->names[i], fields->values[i]));
    } else {
      const auto value = redacted_value(fields->values[i]);
      if (!value) return "what stands for " + fields->names[i] + " cannot be read";
      commitments.push_back(*value);
    }
  }
  if (root_of(commitments) != info.root) return "its fields are not those that were written";
  info.text = tail->text;
  return {};
}

std::vector<std::string> plain_names(const Fields& fields) {
  std::vector<std::string> names;
  for (const auto& name : fields.names) names.push_back(plain_name(name));
  return names;
}

}  // namespace

std::string_view name_of(LineKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<std::vector<Member>> members_of(std::string_view object) {
  std::vector<Member> members;
  std::size_t at = skip_blanks(object, 0);
  if (at >= object.size() || object[at] != '{') return std::nullopt;
  at = skip_blanks(object, at + 1);
  if (at < object.size() && object[at] == '}') {
    if (skip_blanks(object, at + 1) != object.size()) return std::nullopt;
    return members;
  }
  for (;;) {
    if (at >= object.size() || object[at] != '"') return std::nullopt;
    const std::size_t name_end = end_of_string(object, at);
    if (name_end == std::string_view::npos) return std::nullopt;
    const auto name = object.substr(at + 1, name_end - at - 2);
    at = skip_blanks(object, name_end);
    if (at >= object.size() || object[at] != ':') return std::nullopt;
    at = skip_blanks(object, at + 1);
    const std::size_t end = end_of_value(object, at);
    if (end == std::string_view::npos) return std::nullopt;
    members.push_back({name, object.substr(at, end - at)});
    at = skip_blanks(object, end);
    if (at >= object.size()) return std::nullopt;
    if (object[at] == '}') break;
    if (object[at] != ',') return std::nullopt;
    at = skip_blanks(object, at + 1);
  }
  if (skip_blanks(object, at + 1) != object.size()) return std::nullopt;
  return members;
}

std::string json_text(std::string_view text) {
  using Json = nlohmann::json;
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<std::string> unquoted(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return std::nullopt;
  const auto inner = value.substr(1, value.size() - 2);
  if (inner.find('\\') == std::string_view::npos) return std::string(inner);
  const auto parsed = nlohmann::json::parse(value, nullptr, false);
  if (!parsed.is_string()) return std::nullopt;
  return parsed.get<std::string>();
}

std::string plain_name(std::string_view name) {
  if (name.find('\\') == std::string_view::npos) return std::string(name);
  return unquoted('"' + std::string(name) + '"').value_or(std::string(name));
}

void append_line(std::string& out, const NewLine& line, const Salt& salt, Digest& before) {
  const std::size_t start = out.size();
  out += kStart;
  out += name_of(line.kind);
  out += kTime;
  out += format_time(line.time);
  out += kTool;
  out += std::to_string(line.seq);
  if (!line.body.empty()) {
    out += ',';
    out += line.body;
  }
  const std::size_t salts_at = out.size();
  out += kSalt;
  out += to_hex(bytes_of(salt));
  out += '"';
  const auto fields = fields_before_salts(std::string_view(out).substr(start, salts_at - start));
  if (!fields) throw Error(Status::kUsage, "append", "line " + std::to_string(line.seq), "no JSON");
  const Digest root = root_of(*fields, salt);
  const Digest text = sha256({std::string_view(out).substr(start)});
  before = sha256({bytes_of(before), bytes_of(text), bytes_of(root)});
  out += kRoot;
  out += to_hex(bytes_of(root));
  out += kHash;
  out += to_hex(bytes_of(before));
  out += "\"}\n";
}

LineInfo read_line(std::string_view line, bool thorough) {
  LineInfo info;
  const auto no = [&](const char* why) {
    info.why = why;
    return info;
  };
  if (line.size() < kTail + kStart.size() || !line.starts_with(kStart) || !line.ends_with("\"}"))
    return no("it is not a line of a trail");
  const std::size_t root_at = line.size() - kTail;
  const auto tail = line.substr(root_at);
  if (!tail.starts_with(kRoot) || tail.substr(kRoot.size() + kDigestHex, kHash.size()) != kHash ||
      !from_hex(tail.substr(kRoot.size(), kDigestHex), info.root.data(), info.root.size()) ||
      !from_hex(tail.substr(kRoot.size() + kDigestHex + kHash.size(), kDigestHex), info.hash.data(),
                info.hash.size()))
    return no("its hash cannot be read");
  const auto head = line.substr(0, root_at);

  const std::size_t kind_end = head.find('"', kStart.size());
  if (kind_end == std::string_view::npos) return no("it is not a line of a trail");
  const auto kind =
      std::find(kNames.begin(), kNames.end(), head.substr(kStart.size(), kind_end - kStart.size()));
  if (kind == kNames.end()) return no("its kind is none of a trail");
  info.kind = static_cast<LineKind>(kind - kNames.begin());
  std::size_t at = kind_end;
  if (head.substr(at, kTime.size()) != kTime ||
      head.substr(at + kTime.size() + kTimeSize, kTool.size()) != kTool)
    return no("its head cannot be read");
  at += kTime.size() + kTimeSize + kTool.size();
  const auto number = std::from_chars(head.data() + at, head.data() + head.size(), info.seq);
  if (number.ec != std::errc() || info.seq < 0) return no("its number cannot be read");

  const std::size_t salts_at = salts_of(head, info.redacted);
  if (salts_at == std::string_view::npos) return no("its salt cannot be read");
  if (info.redacted) {
    info.why = check_redacted(head, salts_at, info);
    if (!info.why.empty()) return info;
  } else {
    info.text = sha256({head});
    if (thorough) {
      const auto salt = from_hex<Salt>(head.substr(salts_at + kSalt.size(), kSaltHex));
      const auto fields = fields_before_salts(head.substr(0, salts_at));
      if (!salt || !fields || root_of(*fields, *salt) != info.root)
        return no("its root is not that of its fields");
    }
  }
  info.readable = true;
  return info;
}

std::optional<Fields> fields_of(std::string_view line) {
  if (line.size() < kTail) return std::nullopt;
  const auto head = line.substr(0, line.size() - kTail);
  bool redacted = false;
  const std::size_t salts_at = salts_of(head, redacted);
  if (salts_at == std::string_view::npos) return std::nullopt;
  auto fields = fields_before_salts(head.substr(0, salts_at));
  if (fields) fields->names = plain_names(*fields);
  return fields;
}

std::optional<std::string_view> member(std::string_view line, std::string_view name) {
  const auto fields = fields_of(line);
  if (!fields) return std::nullopt;
  for (std::size_t i = 0; i < fields->names.size(); ++i) {
    if (fields->names[i] == name) return fields->values[i];
  }
  return std::nullopt;
}

std::string text_member(std::string_view line, std::string_view name) {
  const auto value = member(line, name);
  return value ? unquoted(*value).value_or("") : "";
}

std::int64_t integer_member(std::string_view line, std::string_view name) {
  const auto value = member(line, name);
  std::int64_t number = -1;
  if (value) std::from_chars(value->data(), value->data() + value->size(), number);
  return number;
}

std::string record_in(std::string_view line) {
  const auto own = members_of(line);
  if (!own) return {};
  for (const auto& [name, value] : *own) {
    if (name == kRecordName) return std::string(value);
    if (name == "line" && line.starts_with(R"({"kind":"audit_record")")) return unquoted(value).value_or("");
  }
  return {};
}

std::string redact_line(std::string_view line, const std::vector<std::string>& names) {
  const LineInfo info = read_line(line, true);
  if (!info.readable) throw Error(Status::kRefused, "redact", "line", info.why);
  const auto head = line.substr(0, line.size() - kTail);
  bool redacted = false;
  const std::size_t salts_at = salts_of(head, redacted);
  Fields fields = *fields_before_salts(head.substr(0, salts_at));
  std::vector<std::optional<Salt>> salts;
  if (redacted) {
    salts = read_salts(head.substr(salts_at))->salts;
  } else {
    const auto seed = *from_hex<Salt>(head.substr(salts_at + kSalt.size(), kSaltHex));
    for (std::uint32_t i = 0; i < fields.names.size(); ++i) salts.emplace_back(salt_of(seed, i));
  }
  std::vector<std::string> replacements(fields.names.size());
  const auto plain = plain_names(fields);
  for (const auto& name : names) {
    constexpr std::array<std::string_view, 4> kNeeded{"kind", "time", "tool", "seq"};
    if (std::find(plain.begin(), plain.end(), name) == plain.end()) {
      throw Error(Status::kUsage, "redact", "seq " + std::to_string(info.seq), "it has no field " + name,
                  "fields of the record are named record.NAME");
    }
    if (std::find(kNeeded.begin(), kNeeded.end(), name) != kNeeded.end())
      throw Error(Status::kUsage, "redact", name, "every line needs it");
    // A name may be there twice in a record from elsewhere: then both go.
    for (std::size_t i = 0; i < fields.names.size(); ++i) {
      if (plain[i] != name || !salts[i]) continue;
      const Digest committed = commitment(*salts[i], fields.names[i], fields.values[i]);
      replacements[i] = std::string(kRedactedStart) + to_hex(bytes_of(committed)) + "\"}";
      fields.values[i] = replacements[i];
      salts[i].reset();
    }
  }
  std::string out = rebuilt(fields);
  out += kSalts;
  for (std::size_t i = 0; i < salts.size(); ++i) {
    out += i == 0 ? "\"" : ",\"";
    if (salts[i]) out += to_hex(bytes_of(*salts[i]));
    out += '"';
  }
  out += kText;
  out += to_hex(bytes_of(info.text));
  out += '"';
  out += line.substr(line.size() - kTail);
  return out;
}

std::vector<std::string> redacted_fields(std::string_view line) {
  std::vector<std::string> names;
  if (line.size() < kTail) return names;
  const auto head = line.substr(0, line.size() - kTail);
  bool redacted = false;
  const std::size_t salts_at = salts_of(head, redacted);
  if (!redacted || salts_at == std::string_view::npos) return names;
  const auto tail = read_salts(head.substr(salts_at));
  const auto fields = fields_before_salts(head.substr(0, salts_at));
  if (!tail || !fields || tail->salts.size() != fields->names.size()) return names;
  for (std::size_t i = 0; i < tail->salts.size(); ++i) {
    if (!tail->salts[i]) names.push_back(plain_name(fields->names[i]));
  }
  return names;
}

}  // namespace rackline::audit
