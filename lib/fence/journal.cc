// SPDX-License-Identifier: Apache-2.0
#include "fence/journal.h"

#include <algorithm>

#include "base/error.h"
#include "store/document.h"

namespace rackline::fence {
namespace {

using store::Json;

constexpr std::string_view kPrefix = "journal/fence/";

std::string text(const Json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json parse(const std::string& document) {
  return Json::parse(document, nullptr, false);
}

}  // namespace

void FenceJournal::begin(const std::string& id, const std::string& host, const std::string& cause) {
  journal_.intent(id, store::dump({{"host", host}, {"cause", cause}}));
}

void FenceJournal::end(const std::string& id, const std::string& host, const std::string& outcome) {
  journal_.result(id, store::dump({{"host", host}, {"outcome", outcome}}));
}

std::vector<store::Journal::Item> FenceJournal::all(std::vector<std::string>* broken) {
  try {
    return journal_.all();
  } catch (const Error&) {
    // Either the store, and then so does this, or an entry that is torn.
  }
  std::vector<store::Journal::Item> items;
  for (const auto& entry : store_.list(kPrefix)) {
    try {
      const auto id = store::from_key_part(std::string_view(entry.key).substr(kPrefix.size()));
      if (auto item = journal_.find(id)) items.push_back(std::move(*item));
    } catch (const Error& error) {
      if (broken != nullptr) broken->emplace_back(error.what());
    }
  }
  return items;
}

std::vector<FenceJournal::Open> FenceJournal::open(std::vector<std::string>* broken) {
  auto found = all(broken);
  std::erase_if(found, [](const auto& item) { return item.result.has_value(); });
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.begun < b.begun; });
  std::vector<Open> items;
  for (const auto& item : found) {
    const Json intent = parse(item.intent);
    items.push_back({item.id, text(intent, "host"), text(intent, "cause"), item.begun});
  }
  return items;
}

int FenceJournal::fenced_within(const std::string& host, Milliseconds window) {
  const auto items = all(nullptr);
  return static_cast<int>(std::count_if(items.begin(), items.end(), [&](const auto& item) {
    if (!item.result || !item.ended || clock_.wall() - *item.ended > window) return false;
    const Json result = parse(*item.result);
    return text(result, "host") == host && text(result, "outcome") == "fenced";
  }));
}

}  // namespace rackline::fence
