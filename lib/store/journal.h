// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "store/document.h"
#include "store/store.h"

namespace rackline::store {

// An entry of a journal that cannot be read.
struct Unread {
  std::string id, why;
};

// A journal (see below) whose documents are JSON text.
class RawJournal {
 public:
  struct Item {
    std::string id;
    std::string intent;
    std::optional<std::string> result;  // none: open
    std::chrono::sys_seconds begun{};
    std::optional<std::chrono::sys_seconds> ended;
  };

  RawJournal(Store& store, std::string actor, const Clock& clock);

  void intent(const std::string& id, const std::string& document);
  void amend(const std::string& id, const std::string& document);
  void result(const std::string& id, const std::string& document);
  std::optional<Item> find(const std::string& id);
  std::vector<Item> open(std::vector<Unread>* broken = nullptr);
  std::vector<Item> all(std::vector<Unread>* broken = nullptr);
  void prune(std::chrono::seconds age, std::size_t number);

 private:
  std::string key(const std::string& id) const;
  void change_open(const char* attempted, const std::string& id,
                   const std::map<std::string, std::string>& fields);  // by name, as JSON

  Store& store_;
  std::string prefix_;
  const Clock& clock_;
};

// Write the intent, act, write the result. After a crash an intent without a result is unknown: the world has
// to be looked at before it is done again. Results are kept, so that repeated work is recognised.
//
// Intent and Result are documents (document.h).
template <class Intent, class Result>
class Journal {
 public:
  struct Item {
    std::string id;
    Intent intent;
    std::optional<Result> result;  // none: open; of one that cannot be read only the defaults
    std::chrono::sys_seconds begun{};
    std::optional<std::chrono::sys_seconds> ended;
  };

  // `actor` names the program whose journal it is. `store` and `clock` must outlive the journal.
  Journal(Store& store, std::string actor, const Clock& clock) : raw_(store, std::move(actor), clock) {}

  // Durable when it returns: only then may the action begin. An intent of the same id that has a result is
  // replaced (the work is begun anew). Throws Error(kRefused) when an intent of that id is open, since its
  // fate must be learnt first.
  void intent(const std::string& id, const Intent& intent) { raw_.intent(id, to_text(intent)); }

  // Writes more into an open intent than was known when the work began; durable when it returns. Throws
  // Error(kRefused) when there is no open intent of that id.
  void amend(const std::string& id, const Intent& intent) { raw_.amend(id, to_text(intent)); }

  // Closes the intent; durable when it returns. Throws Error(kRefused) when there is no open intent of that
  // id.
  void result(const std::string& id, const Result& result) { raw_.result(id, to_text(result)); }

  std::optional<Item> find(const std::string& id) {
    const auto item = raw_.find(id);
    return item ? std::optional(read(*item)) : std::nullopt;
  }
  // Entries that cannot be read are told in `broken`; where that is not given, they are thrown as
  // Error(kUnreachable).
  std::vector<Item> open(std::vector<Unread>* broken = nullptr) {  // without a result, oldest first
    return read(raw_.open(broken), broken);
  }
  std::vector<Item> all(std::vector<Unread>* broken = nullptr) {  // in no particular order
    return read(raw_.all(broken), broken);
  }

  // Forgets results older than `age`, and the oldest ones above `number`. Open intents are never forgotten.
  // Long enough for a person to look what became of something, and few enough to be read in each run.
  void prune(std::chrono::seconds age = std::chrono::days{30}, std::size_t number = 10'000) {
    raw_.prune(age, number);
  }

 private:
  static Item read(const RawJournal::Item& raw) {
    auto intent = from_text<Intent>(raw.intent);
    if (!intent) throw Error(Status::kUnreachable, "read the journal", raw.id, "it is not an intent of ours");
    Item item{raw.id, *std::move(intent), std::nullopt, raw.begun, raw.ended};
    if (raw.result) item.result = from_text<Result>(*raw.result).value_or(Result());
    return item;
  }
  static std::vector<Item> read(const std::vector<RawJournal::Item>& raw, std::vector<Unread>* broken) {
    std::vector<Item> items;
    for (const auto& each : raw) {
      try {
        items.push_back(read(each));
      } catch (const Error& error) {
        if (broken == nullptr) throw;
        broken->push_back({each.id, error.what()});
      }
    }
    return items;
  }

  RawJournal raw_;
};

}  // namespace rackline::store
