// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "store/store.h"

namespace rackline::reserve {

// What one transaction has read, and what it wants written: later steps of the transaction see what earlier
// ones wrote, and the store sees all of it at once or nothing.
class WriteSet {
 public:
  explicit WriteSet(store::View& view) : view_(view) {}

  std::optional<std::string> read(const std::string& key);
  void write(const std::string& key, std::string value) { written_[key] = std::move(value); }
  void erase(const std::string& key) { written_[key] = std::nullopt; }
  // In the order of the keys; `visit` must not read or write, and returns false when it has seen enough.
  void scan(const std::string& first, const std::string& last,
            const std::function<bool(const std::string& key, const std::string& value)>& visit);

  // Only what is new in it; nothing when nothing is.
  std::optional<store::Transaction> transaction() const;

 private:
  store::View& view_;
  std::map<std::string, std::optional<std::string>> read_;
  std::map<std::string, std::optional<std::string>> written_;
};

}  // namespace rackline::reserve
