// SPDX-License-Identifier: Apache-2.0
// The times of recurrences, for bench/recurrences.sh: each line of the standard input is ZONE, FROM, UNTIL
// (seconds since 1970) and RULE with tabs between them, each line of the standard output has their times as
// FROM-UNTIL, or "refused".
#include <iostream>
#include <sstream>
#include <string>

#include "base/error.h"
#include "reserve/recurrence.h"

int main() {
  using namespace rackline;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    std::string zone;
    std::string rule;
    reserve::Span window;
    fields >> zone >> window.from >> window.until;
    std::getline(fields.ignore(1), rule);
    try {
      auto parsed = reserve::parse_recurrence(rule);
      parsed.zone = zone;
      std::string text;
      for (const auto& span : reserve::occurrences(parsed, window)) {
        text += (text.empty() ? "" : " ") + std::to_string(span.from) + "-" + std::to_string(span.until);
      }
      std::cout << text << '\n';
    } catch (const Error&) {
      std::cout << "refused\n";
    }
  }
}
