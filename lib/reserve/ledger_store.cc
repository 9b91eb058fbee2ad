// SPDX-License-Identifier: Apache-2.0
#include "reserve/ledger_store.h"

#include <algorithm>

namespace rackline::reserve {
namespace {

// The lock of all who write the ledger.
constexpr const char* kLock = "reserve";

class ReadOnly final : public store::View {
 public:
  explicit ReadOnly(store::Store& store) : store_(store) {}
  std::optional<store::Entry> get(std::string_view key) override { return store_.get(key); }
  void scan(std::string_view first, std::string_view last, const store::Visit& visit) override {
    store_.scan(first, last, visit);
  }

 private:
  store::Store& store_;
};

}  // namespace

void LedgerStore::run(const std::function<bool(Ledger&)>& work) {
  store_.update(kLock, [&](store::View& view) -> std::optional<store::Transaction> {
    WriteSet writes(view);
    Ledger ledger(writes, clock(), accept_clock_);
    if (!work(ledger)) return std::nullopt;
    ledger.save();
    return writes.transaction();
  });
}

void LedgerStore::look(const std::function<void(Ledger&)>& work) {
  ReadOnly view(store_);
  WriteSet writes(view);
  Ledger ledger(writes, clock(), true);
  work(ledger);
}

std::vector<Pool> all_pools(store::Store& store) {
  std::vector<Pool> found;
  for (const auto& entry : store.list(pool_key(""))) found.push_back(pool_from(entry.key, entry.value));
  std::vector<Pool> ordered;
  // Depth first, so that a part stands below its whole.
  const std::function<void(const std::string&)> add = [&](const std::string& parent) {
    for (const auto& pool : found) {
      if (pool.parent != parent || ordered.size() == found.size()) continue;
      ordered.push_back(pool);
      add(pool.name);
    }
  };
  add("");
  return ordered;
}

}  // namespace rackline::reserve
