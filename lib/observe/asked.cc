// SPDX-License-Identifier: Apache-2.0
#include "observe/asked.h"

#include <unistd.h>

#include <iostream>
#include <utility>

#include "base/joined.h"
#include "base/printable.h"

namespace rackline::observe {

void Silence::add(const std::string& name, const std::string& why) {
  silent_.insert(name);
  texts_.push_back(name + " (" + why + ")");
}

void Silence::end_round(std::int64_t asked, std::int64_t answered) {
  if (silent_ != told_ && !silent_.empty() && answered > 0) {
    program_.warn(std::to_string(silent_.size()) + " of " + std::to_string(asked) + " " + nouns_ +
                  " gave no answer: " + joined_some(texts_, 3));
  }
  told_ = std::exchange(silent_, {});
  texts_.clear();
}

void print_names(const std::vector<std::string>& names) {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  for (const std::string& name : names) std::cout << (terminal ? printable(name) : name) << '\n';
  if (!std::cout.flush()) throw system_error(Status::kUnreachable, "write", "stdout");
}

}  // namespace rackline::observe
