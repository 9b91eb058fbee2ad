// SPDX-License-Identifier: Apache-2.0
#include "fence/journal.h"

#include <algorithm>

#include "store/describe.h"

namespace rackline::fence {
namespace {

using store::kLater;

}  // namespace

// What is missing is the intent or the result of nobody.
const store::Fields FenceJournal::Open::kFields{FIELD(Open, host, kLater), FIELD(Open, cause, kLater)};
const store::Fields FenceJournal::Result::kFields{FIELD(Result, host, kLater),
                                                  FIELD(Result, outcome, kLater)};

void FenceJournal::begin(const std::string& id, const std::string& host, const std::string& cause) {
  journal_.intent(id, {id, host, cause});
}

void FenceJournal::end(const std::string& id, const std::string& host, const std::string& outcome) {
  journal_.result(id, {host, outcome});
}

std::vector<FenceJournal::Open> FenceJournal::open(std::vector<store::Unread>* broken) {
  std::vector<store::Unread> untold;
  std::vector<Open> found;
  for (const auto& item : journal_.open(broken != nullptr ? broken : &untold)) {
    auto& open = found.emplace_back(item.intent);
    open.id = item.id;
    open.begun = item.begun;
  }
  return found;
}

int FenceJournal::fenced_within(const std::string& host, Milliseconds window) {
  std::vector<store::Unread> untold;
  const auto items = journal_.all(&untold);
  return static_cast<int>(std::count_if(items.begin(), items.end(), [&](const auto& item) {
    if (!item.result || !item.ended || clock_.wall() - *item.ended > window) return false;
    return item.result->host == host && item.result->outcome == "fenced";
  }));
}

}  // namespace rackline::fence
