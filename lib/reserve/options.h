// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "cli/program.h"
#include "reserve/command.h"

namespace rackline::reserve {

enum class Verb {
  kPoolAdd,
  kPoolSet,
  kPoolRemove,
  kPoolList,
  kClaim,
  kExtend,
  kRelease,
  kBorrow,
  kReclaim,
  kList,
  kCheck,
  kApply,
};

// Which of the declared commands was typed.
class Verbs {
 public:
  // With true: it is only tried (whatif).
  std::pair<Verb, bool> given() const;
  void add(CLI::App* app, Verb verb, bool whatif = false) { all_.push_back({app, verb, whatif}); }

 private:
  struct Declared {
    CLI::App* app;
    Verb verb;
    bool whatif;
  };
  std::vector<Declared> all_;
};

// The commands and options of reserve; what is typed arrives in `command`.
Verbs declare(cli::Program& program, Command& command);

}  // namespace rackline::reserve
