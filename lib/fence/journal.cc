// SPDX-License-Identifier: Apache-2.0
#include "fence/journal.h"

#include <algorithm>

#include "store/describe.h"

namespace rackline::fence {
namespace {

// What is missing, or cannot be read, is the intent or the result of nobody.
struct Result {
  std::string host, outcome;
  static const store::Fields kFields;
};
const store::Fields Result::kFields{FIELD(Result, host, store::kLater),
                                    FIELD(Result, outcome, store::kLater)};

}  // namespace

const store::Fields FenceJournal::Open::kFields{FIELD(Open, host, store::kLater),
                                                FIELD(Open, cause, store::kLater)};

void FenceJournal::begin(const std::string& id, const std::string& host, const std::string& cause) {
  journal_.intent(id, store::to_text(Open{id, host, cause}));
}

void FenceJournal::end(const std::string& id, const std::string& host, const std::string& outcome) {
  journal_.result(id, store::to_text(Result{host, outcome}));
}

std::vector<FenceJournal::Open> FenceJournal::open(std::vector<std::string>* broken) {
  std::vector<std::string> untold;
  std::vector<Open> found;
  for (const auto& item : journal_.open(broken != nullptr ? broken : &untold)) {
    auto& open = found.emplace_back(store::from_text<Open>(item.intent).value_or(Open()));
    open.id = item.id;
    open.begun = item.begun;
  }
  return found;
}

int FenceJournal::fenced_within(const std::string& host, Milliseconds window) {
  std::vector<std::string> untold;
  const auto items = journal_.all(&untold);
  return static_cast<int>(std::count_if(items.begin(), items.end(), [&](const auto& item) {
    if (!item.result || !item.ended || clock_.wall() - *item.ended > window) return false;
    const auto result = store::from_text<Result>(*item.result);
    return result && result->host == host && result->outcome == "fenced";
  }));
}

}  // namespace rackline::fence
