// SPDX-License-Identifier: Apache-2.0
#include "reserve/write_set.h"

namespace rackline::reserve {

std::optional<std::string> WriteSet::read(const std::string& key) {
  if (const auto mine = written_.find(key); mine != written_.end()) return mine->second;
  const auto [place, fresh] = read_.try_emplace(key);
  if (fresh) {
    if (auto entry = view_.get(key)) place->second = std::move(entry->value);
  }
  return place->second;
}

void WriteSet::scan(const std::string& first, const std::string& last,
                    const std::function<bool(const std::string&, const std::string&)>& visit) {
  auto mine = written_.lower_bound(first);
  const auto mine_end = written_.lower_bound(last);
  bool more = true;
  // What is written here and stands before `key`.
  const auto catch_up = [&](const std::string* key) {
    while (more && mine != mine_end && (key == nullptr || mine->first < *key)) {
      if (mine->second) more = visit(mine->first, *mine->second);
      ++mine;
    }
  };
  view_.scan(first, last, [&](const store::Entry& entry) {
    catch_up(&entry.key);
    if (!more) return false;
    if (mine != mine_end && mine->first == entry.key) return true;
    more = visit(entry.key, entry.value);
    return more;
  });
  catch_up(nullptr);
}

std::optional<store::Transaction> WriteSet::transaction() const {
  store::Transaction transaction;
  for (const auto& [key, value] : written_) {
    const auto before = read_.find(key);
    if (before != read_.end() && before->second == value) continue;
    if (value) {
      transaction.puts.push_back({key, *value});
    } else {
      transaction.deletes.push_back(key);
    }
  }
  if (transaction.puts.empty() && transaction.deletes.empty()) return std::nullopt;
  return transaction;
}

}  // namespace rackline::reserve
