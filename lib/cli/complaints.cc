// SPDX-License-Identifier: Apache-2.0
#include "cli/complaints.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace rackline::cli {
namespace {

constexpr std::int64_t kSaid = 3;
constexpr Milliseconds kAnew{60'000};

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

bool of_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' || c == '/';
}

}  // namespace

std::string kind_of_message(std::string_view text) {
  std::string kind;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '"') {
      at = std::min(text.find('"', at + 1), text.size() - 1) + 1;
      kind += '"';
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && of_word(text[end])) ++end;
    const std::string_view word = text.substr(at, end - at);
    if (word.empty()) {
      kind += text[at++];
      continue;
    }
    if (std::any_of(word.begin(), word.end(), is_digit)) {
      kind += '#';
    } else {
      kind += word;
    }
    at = end;
  }
  return kind;
}

void Complaints::add(const std::string& text) {
  const std::lock_guard lock(mutex_);
  close(false);
  Kind& kind = kinds_[kind_of_message(text)];
  if (kind.said == 0) kind.since = clock_.monotonic();
  kind.last = text;
  if (kind.said == kSaid) {
    ++kind.held;
    return;
  }
  ++kind.said;
  say_(text);
}

void Complaints::close() {
  const std::lock_guard lock(mutex_);
  close(true);
}

void Complaints::close(bool all) {
  const Milliseconds now = clock_.monotonic();
  for (auto kind = kinds_.begin(); kind != kinds_.end();) {
    if (!all && now - kind->second.since < kAnew) {
      ++kind;
      continue;
    }
    const Kind over = std::move(kind->second);
    kind = kinds_.erase(kind);
    if (over.held == 1) {
      say_(over.last);
    } else if (over.held > 1) {
      say_(std::to_string(over.held) + " more like this, the last of them: " + over.last);
    }
  }
}

}  // namespace rackline::cli
