// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "store/store.h"

namespace rackline::store {

// Write the intent, act, write the result. After a crash an intent without a result is unknown: the world has
// to be looked at before it is done again. Results are kept, so that repeated work is recognised.
class Journal {
 public:
  struct Item {
    std::string id;
    std::string intent;                 // JSON text
    std::optional<std::string> result;  // JSON text; none: open
    std::chrono::sys_seconds begun{};
    std::optional<std::chrono::sys_seconds> ended;
  };

  // `actor` names the program whose journal it is. `store` and `clock` must outlive the journal.
  Journal(Store& store, std::string actor, const Clock& clock);

  // Durable when it returns: only then may the action begin. An intent of the same id that has a result is
  // replaced (the work is begun anew). Throws Error(kRefused) when an intent of that id is open, since its
  // fate must be learnt first.
  void intent(const std::string& id, const std::string& document);

  // Closes the intent; durable when it returns. Throws Error(kRefused) when there is no open intent of that
  // id.
  void result(const std::string& id, const std::string& document);

  std::optional<Item> find(const std::string& id);
  // Entries that cannot be read are told in `broken`; where that is not given, they are thrown.
  std::vector<Item> open(std::vector<std::string>* broken = nullptr);  // without a result, oldest first
  std::vector<Item> all(std::vector<std::string>* broken = nullptr);   // in no particular order

  // Forgets results older than `age`, and the oldest ones above `number`. Open intents are never forgotten.
  // Long enough for a person to look what became of something, and few enough to be read in each run.
  void prune(std::chrono::seconds age = std::chrono::days{30}, std::size_t number = 10'000);

 private:
  std::string key(const std::string& id) const;

  Store& store_;
  std::string prefix_;
  const Clock& clock_;
};

}  // namespace rackline::store
