// SPDX-License-Identifier: Apache-2.0
#include "cli/toml.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <set>

#include "base/error.h"
#include "base/joined.h"

namespace rackline::cli {
namespace {

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// What is infinite, or no number, is no value of an option.
bool is_number(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  const auto digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  if (!digit(0) || text.ends_with('.') || (text.front() == '0' && digit(1))) return false;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80U | (code >> shift & 0x3fU)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0U | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xe0U | code >> 12);
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xf0U | code >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : left_(text), file_(file) {}

  Configuration run() {
    for (skip_lines(); !left_.empty(); skip_lines()) {
      if (left_.front() == '[') {
        section();
      } else {
        setting();
      }
      end_of_line();
    }
    return std::move(result_);
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(Status::kUsage, "read the configuration", file_ + ": line " + std::to_string(line_), why);
  }
  char peek() const { return left_.empty() ? '\n' : left_.front(); }
  bool take(std::string_view word) {
    if (!left_.starts_with(word)) return false;
    left_.remove_prefix(word.size());
    return true;
  }
  void blanks() { left_.remove_prefix(std::min(left_.find_first_not_of(" \t"), left_.size())); }
  // Blanks, and a comment up to the end of the line.
  void rest() {
    blanks();
    if (peek() == '#') left_.remove_prefix(std::min(left_.find('\n'), left_.size()));
    if (left_.starts_with("\r\n")) left_.remove_prefix(1);
  }
  void skip_lines() {
    for (rest(); take("\n"); rest()) ++line_;
  }
  void end_of_line() {
    rest();
    if (peek() != '\n') refuse("something follows the value");
  }

  void section() {
    const auto line = line_;
    take("[");
    if (peek() == '[') refuse("expected a [section], and no list of them");
    section_ = key();
    if (!take("]")) refuse("expected ] behind the name of the section");
    if (!sections_.insert(joined(section_, ".")).second) refuse("the section stands there twice");
    result_.sections.push_back({section_, line});
  }

  void setting() {
    auto path = section_;
    const auto own = key();
    path.insert(path.end(), own.begin(), own.end());
    if (!take("=")) refuse("expected KEY = VALUE");
    if (!keys_.insert(joined(path, ".")).second) refuse(joined(path, ".") + " stands there twice");
    Setting setting{
        .section = {path.begin(), path.end() - 1}, .key = path.back(), .value = {}, .line = line_};
    blanks();
    const bool many = take("[");
    setting.value = many ? list() : value();
    if (!many || !setting.value.empty()) result_.settings.push_back(std::move(setting));
  }

  // With the blanks around it.
  std::vector<std::string> key() {
    std::vector<std::string> parts;
    do {
      blanks();
      if (peek() == '"' || peek() == '\'') {
        parts.push_back(text());
      } else {
        const auto end = std::find_if_not(left_.begin(), left_.end(), is_bare);
        parts.emplace_back(left_.begin(), end);
        left_.remove_prefix(parts.back().size());
        if (parts.back().empty()) refuse("expected KEY = VALUE or [SECTION]");
      }
      blanks();
    } while (take("."));
    return parts;
  }

  std::string list() {
    std::vector<std::string> values;
    for (skip_lines(); !take("]"); skip_lines()) {
      if (left_.empty()) refuse("a list does not end");
      values.push_back(value());
      skip_lines();
      if (left_.empty()) refuse("a list does not end");
      if (!take(",") && peek() != ']') refuse("expected , or ] in the list");
    }
    return joined(values, ",");
  }

  std::string value() {
    if (peek() == '"' || peek() == '\'') return text();
    const auto size = std::min(left_.find_first_of(" \t\r\n#,]"), left_.size());
    std::string word(left_.substr(0, size));
    left_.remove_prefix(size);
    if (word.empty()) refuse("there is no value");
    if (word == "true" || word == "false") return word;
    const std::string given = word;
    std::erase(word, '_');
    if (!is_number(word)) refuse(given + " is no value: a text stands in \"quotes\"");
    return word;
  }

  std::string text() {
    const char quote = left_.front();
    left_.remove_prefix(1);
    if (left_.size() > 1 && left_[0] == quote && left_[1] == quote)
      refuse("a text of several lines is no option");
    std::string result;
    while (peek() != quote) {
      const char c = peek();
      if (c == '\n') refuse("a text does not end");
      if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f')
        refuse("a text has a control character");
      left_.remove_prefix(1);
      if (c == '\\' && quote == '"') {
        escape(result);
      } else {
        result += c;
      }
    }
    left_.remove_prefix(1);
    return result;
  }

  void escape(std::string& result) {
    constexpr std::string_view kLetters = "btnfr\"\\", kMeant = "\b\t\n\f\r\"\\";
    const char c = peek();
    left_.remove_prefix(left_.empty() ? 0 : 1);
    if (const auto at = kLetters.find(c); at != std::string_view::npos) {
      result += kMeant[at];
      return;
    }
    const std::size_t size = c == 'u' ? 4 : c == 'U' ? 8 : 0;
    std::uint32_t code = 0;
    const auto digits = left_.substr(0, size);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    constexpr std::uint32_t kSurrogates = 0xd800, kBehind = 0xe000, kLast = 0x10ffff;
    if (size == 0 || digits.size() != size || error != std::errc() || end != digits.data() + size ||
        code > kLast || (code >= kSurrogates && code < kBehind))
      refuse("a text has an escape that is none");
    left_.remove_prefix(size);
    append_utf8(result, code);
  }

  std::string_view left_;
  const std::string& file_;
  std::int64_t line_ = 1;
  std::vector<std::string> section_;
  std::set<std::string> sections_, keys_;
  Configuration result_;
};

}  // namespace

std::string Setting::name() const {
  return (section.empty() ? "" : joined(section, ".") + ".") + key;
}

Configuration parse_toml(std::string_view text, const std::string& file) {
  return Parser(text, file).run();
}

}  // namespace rackline::cli
