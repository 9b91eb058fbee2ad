// SPDX-License-Identifier: Apache-2.0
#include "record/reader.h"

#include <poll.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/time.h"
#include "record/kinds.h"

namespace rackline::record {
namespace {

namespace json = simdjson::ondemand;

constexpr std::size_t kChunk = std::size_t{256} << 10;
constexpr std::size_t kLongestLine = std::size_t{16} << 20;
constexpr std::int64_t kExactDouble = std::int64_t{1} << 53;

constexpr std::string_view name_of(Type type) {
  switch (type) {
    case Type::kString:
      return "a string";
    case Type::kInteger:
      return "an integer";
    case Type::kNumber:
      return "a number";
    case Type::kBoolean:
      return "true or false";
    case Type::kTime:
      return "a time such as 2026-11-22T12:00:00Z";
    case Type::kStrings:
      return "a list of strings";
  }
  return "";
}

template <class T>
T& member(const Field& field, void* record) {
  if (!field.optional) return *static_cast<T*>(field.member(record));
  auto& value = *static_cast<std::optional<T>*>(field.member(record));
  if (!value) value.emplace();
  return *value;
}

template <class T>
void clear_as(const Field& field, void* at) {
  if (field.optional) {
    static_cast<std::optional<T>*>(at)->reset();
  } else {
    *static_cast<T*>(at) = T{};
  }
}

void clear(const Field& field, void* record) {
  void* at = field.member(record);
  switch (field.type) {
    case Type::kString:
      return clear_as<std::string>(field, at);
    case Type::kInteger:
      return clear_as<std::int64_t>(field, at);
    case Type::kNumber:
      return clear_as<double>(field, at);
    case Type::kBoolean:
      return clear_as<bool>(field, at);
    case Type::kTime:
      return clear_as<Time>(field, at);
    case Type::kStrings:
      return clear_as<std::vector<std::string>>(field, at);
  }
}

// jq and other tools that hold every number in a double may write an integer as 1e10 or 5.0.
bool integer_of(json::value& value, std::int64_t& out) {
  if (value.get_int64().get(out) == simdjson::SUCCESS) return true;
  double wide = 0;
  if (value.get_double().get(wide) != simdjson::SUCCESS) return false;
  if (wide != std::floor(wide) || std::abs(wide) > static_cast<double>(kExactDouble)) return false;
  out = static_cast<std::int64_t>(wide);
  return true;
}

// The text of a string: where it lies, or, with escapes in it, in the parser's own memory. simdjson has
// already found it to be UTF-8, closed, and free of control characters.
bool text_of(json::value& value, std::string_view& out) {
  std::string_view token = value.raw_json_token();
  if (token.find('\\') != std::string_view::npos) return value.get_string().get(out) == simdjson::SUCCESS;
  json::raw_json_string raw;
  if (value.get_raw_json_string().get(raw) != simdjson::SUCCESS) return false;
  token.remove_prefix(1);
  out = token.substr(0, token.find('"'));
  return true;
}

bool strings_of(json::value& value, std::vector<std::string>& out) {
  out.clear();
  json::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return false;
  for (auto element : array) {
    std::string_view text;
    if (element.get_string().get(text) != simdjson::SUCCESS) return false;
    out.emplace_back(text);
  }
  return true;
}

// The fields that stood at each place of the last record of a kind. What one producer writes is alike, so
// that nearly every key, one unknown to us too, is found by one comparison.
class Shape {
 public:
  static constexpr std::size_t kUnknown = 1000, kKind = 1001, kBroken = 1002;

  explicit Shape(const Kind& kind) : kind_(&kind) {}
  bool is_of(const Kind& kind) const { return kind_ == &kind; }

  // The index of the kind's field that has this name, or kKind, kUnknown or kBroken. Takes the key away.
  std::size_t field_of(json::field& pair, std::size_t place) {
    const json::raw_json_string key = pair.key();
    if (place < places_.size() && key.unsafe_is_equal(places_[place].name)) return places_[place].field;
    const std::string_view name = name_of(key);
    std::string_view plain = name;
    if (name.find('\\') != std::string_view::npos && pair.unescaped_key().get(plain) != simdjson::SUCCESS)
      return kBroken;
    const std::size_t found = look_up(plain);
    if (place <= places_.size() && place < kPlaces && name.size() <= kLongestName) {
      places_.resize(std::max(places_.size(), place + 1));
      places_[place] = {std::string(name), found};
    }
    return found;
  }

  // As it is written, escapes and all.
  static std::string_view name_of(json::raw_json_string key) {
    const char* const begin = key.raw();
    const char* end = begin;
    while (*end != '"') end += *end == '\\' ? 2 : 1;
    return {begin, static_cast<std::size_t>(end - begin)};
  }

 private:
  static constexpr std::size_t kPlaces = 128, kLongestName = 64;
  struct Place {
    std::string name;  // as it is written, escapes and all
    std::size_t field = kUnknown;
  };

  std::size_t look_up(std::string_view name) const {
    for (std::size_t i = 0; i < kind_->fields.size(); ++i)
      if (kind_->fields[i].name == name) return i;
    return name == "kind" ? kKind : kUnknown;
  }

  const Kind* kind_;
  std::vector<Place> places_;
};

// How many letters have to be changed, added or taken away to make the one the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t corner = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t other = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      corner = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, other}));
    }
  }
  return row[b.size()];
}

std::string quoted(std::string_view name) {
  return "\"" + std::string(name) + "\"";
}

// Of a field that the kind does not have: which one may have been meant.
std::string unknown_field(const Kind& kind, std::string_view name) {
  constexpr std::size_t kLongest = 40;
  std::string text =
      "no field of a " + std::string(kind.name) + " is called " + quoted(name.substr(0, kLongest));
  if (name.size() > kLongest) return text;
  const auto nearest = std::min_element(
      kind.fields.begin(), kind.fields.end(),
      [&](const Field& a, const Field& b) { return distance(a.name, name) < distance(b.name, name); });
  return distance(nearest->name, name) > 2 ? text : text + ": is " + quoted(nearest->name) + " meant?";
}

// Of a line that does not even have a kind: what a person has to do.
std::string no_record(std::string_view line) {
  constexpr std::string_view kExpected = "expected a record, a JSON object with a field \"kind\" on one line";
  line.remove_prefix(line.find_first_not_of(" \t"));
  std::string text(kExpected);
  if (line.starts_with('[')) return text + ", found a list: jq -c '.[]' makes lines of it";
  if (line.starts_with('{')) return text + ", found a broken one: jq -c . brings each onto one line";
  return text;
}

}  // namespace

// The bytes of the input: a window that holds at least the present line and simdjson's padding behind it.
struct Reader::Input {
  int fd;
  int reader_of = -1;
  std::vector<char> buffer = std::vector<char>(kChunk + simdjson::SIMDJSON_PADDING);
  std::size_t begin = 0;  // of the unread part
  std::size_t end = 0;
  bool at_end = false;
  json::parser parser;
  std::vector<Shape> shapes;
  std::string time_text;  // the last one that was read, and what it means
  Time time;

  Shape& shape(const Kind& kind) {
    for (Shape& shape : shapes)
      if (shape.is_of(kind)) return shape;
    return shapes.emplace_back(kind);
  }

  // Puts `value` into the member that `field` describes; with `record` null only checks it. False: wrong
  // type.
  bool assign(const Field& field, json::value& value, void* record);

  // The first field of that name in a line of the buffer, however the name is written.
  simdjson::error_code find(std::string_view line, json::document& document, std::string_view name,
                            json::value& out);

  // Until there is something to be read. False when a stop was asked for.
  bool wait() const {
    while (!interrupt::requested()) {
      std::array<pollfd, 3> watched{{{fd, POLLIN, 0}, {interrupt::fd(), POLLIN, 0}, {reader_of, 0, 0}}};
      if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return true;  // the read says why
      if (watched[0].revents != 0) return true;
      if (watched[2].revents != 0)
        interrupt::request(SIGPIPE);  // asked for nothing, it tells only of the end
    }
    return false;
  }

  // False when nothing more came: end of input, or a stop was asked for.
  bool fill(const std::string& source) {
    if (at_end || interrupt::requested()) return false;
    if (begin > 0) {
      std::memmove(buffer.data(), buffer.data() + begin, end - begin);
      end -= begin;
      begin = 0;
    }
    if (buffer.size() - end < kChunk / 2 + simdjson::SIMDJSON_PADDING) {
      buffer.resize(buffer.size() * 2);
    }
    for (;;) {
      if (!wait()) return false;
      const ssize_t got = ::read(fd, buffer.data() + end, buffer.size() - end - simdjson::SIMDJSON_PADDING);
      if (got > 0) {
        end += static_cast<std::size_t>(got);
        return true;
      }
      if (got < 0 && errno == EINTR && !interrupt::requested()) continue;
      at_end = true;
      if (got < 0 && errno != EINTR) throw system_error(Status::kUnreachable, "read records", source);
      return false;
    }
  }
};

simdjson::error_code Reader::Input::find(std::string_view line, json::document& document,
                                         std::string_view name, json::value& out) {
  const auto offset = static_cast<std::size_t>(line.data() - buffer.data());
  json::object object;
  auto code = parser.iterate(line.data(), line.size(), buffer.size() - offset).get(document);
  if (code == simdjson::SUCCESS) code = document.get_object().get(object);
  if (code != simdjson::SUCCESS) return code;
  for (auto entry : object) {
    if (entry.error() != simdjson::SUCCESS) return entry.error();
    json::field&& pair = std::move(entry).value_unsafe();
    std::string_view key;
    if (pair.unescaped_key().get(key) != simdjson::SUCCESS) return simdjson::STRING_ERROR;
    if (key != name) continue;
    out = std::move(pair).value();
    return simdjson::SUCCESS;
  }
  return simdjson::NO_SUCH_FIELD;
}

void Reader::stops_without_reader_of(int fd) {
  input_->reader_of = fd;
}

bool Reader::Input::assign(const Field& field, json::value& value, void* record) {
  switch (field.type) {
    case Type::kString: {
      std::string_view text;
      if (!text_of(value, text)) return false;
      if (record != nullptr) member<std::string>(field, record) = text;
      return true;
    }
    case Type::kInteger: {
      std::int64_t number = 0;
      if (!integer_of(value, number)) return false;
      if (record != nullptr) member<std::int64_t>(field, record) = number;
      return true;
    }
    case Type::kNumber: {
      double number = 0;
      if (value.get_double().get(number) != simdjson::SUCCESS) return false;
      if (record != nullptr) member<double>(field, record) = number;
      return true;
    }
    case Type::kBoolean: {
      bool flag = false;
      if (value.get_bool().get(flag) != simdjson::SUCCESS) return false;
      if (record != nullptr) member<bool>(field, record) = flag;
      return true;
    }
    case Type::kTime: {
      std::string_view text;
      if (!text_of(value, text)) return false;
      if (text != time_text) {  // the records of a round mostly have one time
        const auto parsed = parse_time(text);
        if (!parsed) return false;
        time = *parsed;
        time_text = text;
      }
      if (record != nullptr) member<Time>(field, record) = time;
      return true;
    }
    case Type::kStrings: {
      std::vector<std::string> list;
      if (!strings_of(value, list)) return false;
      if (record != nullptr) member<std::vector<std::string>>(field, record) = std::move(list);
      return true;
    }
  }
  return false;
}

Reader::Reader(int fd, std::string source, Policy policy, Report report)
    : input_(std::make_unique<Input>()),
      source_(std::move(source)),
      policy_(policy),
      report_(std::move(report)) {
  input_->fd = fd;
}

Reader::~Reader() = default;

bool Reader::problem(std::string why) {
  ++skipped_;
  const Problem what{source_, line_, std::move(why)};
  if (policy_ == Policy::kRefuse) {
    throw Error(Status::kUsage, "read records", what.source + ": line " + std::to_string(what.line),
                what.why);
  }
  if (report_) report_(what);
  return false;
}

bool Reader::next_line() {
  Input& in = *input_;
  std::size_t searched = 0;
  for (;;) {
    const char* start = in.buffer.data() + in.begin;
    const std::size_t size = in.end - in.begin;
    if (const void* found = std::memchr(start + searched, '\n', size - searched); found != nullptr) {
      const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - start);
      text_ = {start, length};
      in.begin += length + 1;
      ++line_;
      return true;
    }
    searched = size;
    if (size > kLongestLine) {
      // Let go of what there is, up to the line's end, without keeping it.
      ++line_;
      complete_ = false;
      problem("longer than 16 MiB");
      for (;;) {
        in.begin = in.end;
        if (!in.fill(source_)) return false;
        const void* end = std::memchr(in.buffer.data(), '\n', in.end);
        if (end == nullptr) continue;
        in.begin = static_cast<std::size_t>(static_cast<const char*>(end) - in.buffer.data()) + 1;
        break;
      }
      searched = 0;
      continue;
    }
    if (!in.fill(source_)) {
      if (interrupt::requested() || in.end == in.begin) return false;
      text_ = {in.buffer.data() + in.begin, in.end - in.begin};  // a last line without its end
      in.begin = in.end;
      ++line_;
      return true;
    }
  }
}

void Reader::find_kind() {
  // Ours and nearly everybody's records begin so; the rest takes the slow way.
  constexpr std::string_view kStart = R"({"kind":")";
  if (text_.starts_with(kStart)) {
    const std::size_t close = text_.find('"', kStart.size());
    if (close != std::string_view::npos) {
      kind_ = text_.substr(kStart.size(), close - kStart.size());
      if (!kind_.empty() && kind_.find('\\') == std::string_view::npos) return;
    }
  }
  kind_ = {};
  std::string_view kind;
  json::document document;
  json::value value;
  auto problem_code = input_->find(text_, document, "kind", value);
  if (problem_code == simdjson::SUCCESS) problem_code = value.get_string().get(kind);
  if (problem_code == simdjson::SUCCESS) {
    kind_storage_ = kind;
    kind_ = kind_storage_;
    if (kind_.empty()) problem("field \"kind\" is empty");
  } else if (problem_code == simdjson::NO_SUCH_FIELD) {
    problem("no field \"kind\"");
  } else {
    problem(no_record(text_));
  }
}

bool Reader::next() {
  while (!interrupt::requested() && next_line()) {
    if (!text_.empty() && text_.back() == '\r') text_.remove_suffix(1);
    if (text_.find_first_not_of(" \t") == std::string_view::npos) continue;
    complete_ = false;  // whatever stands behind an `end`, even if it cannot be read, is a stream without one
    find_kind();
    if (kind_.empty()) continue;
    if (is<End>()) {
      End end;
      if (read(end)) {
        end_ = std::move(end);
        ++ends_;
        complete_ = true;
      }
      continue;
    }
    ++records_;
    return true;
  }
  return false;
}

bool Reader::says(std::string_view field) {
  json::document document;
  json::value value;
  if (input_->find(text_, document, field, value) != simdjson::SUCCESS) return false;
  bool flag = false;
  if (value.is_null().get(flag) == simdjson::SUCCESS && flag) return false;
  return value.get_bool().get(flag) != simdjson::SUCCESS || flag;
}

bool Reader::decode(const Kind& kind, void* out) {
  Input& in = *input_;
  const std::size_t offset = static_cast<std::size_t>(text_.data() - in.buffer.data());
  const auto fields = kind.fields;
  json::document document;
  json::object object;
  auto code = in.parser.iterate(text_.data(), text_.size(), in.buffer.size() - offset).get(document);
  if (code == simdjson::SUCCESS) code = document.get_object().get(object);
  if (code != simdjson::SUCCESS)
    return problem(std::string("broken record: ") + simdjson::error_message(code));

  Shape& shape = input_->shape(kind);
  std::uint64_t seen = 0;
  bool has_kind = false;
  std::size_t position = 0;
  for (auto entry : object) {
    if (entry.error() != simdjson::SUCCESS)
      return problem(std::string("broken record: ") + simdjson::error_message(entry.error()));
    json::field&& pair = std::move(entry).value_unsafe();  // a copy of it costs more than all that follows
    const std::string_view name = Shape::name_of(pair.key());
    const std::size_t index = shape.field_of(pair, position++);
    if (index >= fields.size()) {
      if (index == Shape::kBroken) return problem("broken record: the name of a field has a wrong escape");
      if (index == Shape::kKind && std::exchange(has_kind, true))
        return problem("field \"kind\" is given twice");
      if (index == Shape::kUnknown && kind.strict) return problem(unknown_field(kind, name));
      continue;
    }
    const Field& field = fields[index];
    if ((seen >> index & 1) != 0) return problem("field " + quoted(field.name) + " is given twice");
    json::value& value = pair.value();
    bool null = false;
    code = value.is_null().get(null);  // "nulg" is an error and neither
    if (code != simdjson::SUCCESS)
      return problem("field " + quoted(field.name) + ": " + simdjson::error_message(code));
    if (null) {
      if (!may_be_absent(kind, field)) {
        return problem("field " + quoted(field.name) + ": expected " + std::string(name_of(field.type)) +
                       ", found null");
      }
      continue;  // as if absent
    }
    if (!input_->assign(field, value, out)) {
      return problem("field " + quoted(field.name) + ": expected " + std::string(name_of(field.type)));
    }
    seen |= std::uint64_t{1} << index;
  }
  const char* rest = nullptr;
  if (document.current_location().get(rest) == simdjson::SUCCESS) {
    return problem("broken record: something follows it on its line");
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if ((seen >> i & 1) != 0) continue;
    if (!may_be_absent(kind, fields[i])) return problem("no field " + quoted(fields[i].name));
    if (out != nullptr) clear(fields[i], out);
  }
  return true;
}

}  // namespace rackline::record
