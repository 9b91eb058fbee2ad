// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/secret.h"
#include "store/etcd.h"
#include "store/sqlite.h"

namespace rackline::store {
namespace {

constexpr Milliseconds kTurn{10'000};

// Remembers what was read, so that the commit can demand that it is still so.
class ComparedView final : public View {
 public:
  explicit ComparedView(Store& store) : store_(store) {}

  std::optional<Entry> get(std::string_view key) override {
    auto entry = store_.get(key);
    seen_.try_emplace(std::string(key), entry ? entry->version : 0);
    return entry;
  }
  // What a scan has seen is guarded by the lock alone: comparing each entry could be more than a transaction
  // may hold.
  void scan(std::string_view first, std::string_view last, const Visit& visit) override {
    store_.scan(first, last, visit);
  }

  void demand(Transaction& transaction) const {
    for (const auto& [key, version] : seen_) transaction.compares.push_back({key, version});
  }

 private:
  Store& store_;
  std::map<std::string, std::int64_t> seen_;
};

}  // namespace

std::unique_ptr<Store> Store::open(const std::string& url) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (url.starts_with(kSqlite) && url.size() > kSqlite.size()) return open_sqlite(url.substr(kSqlite.size()));
  if (url.starts_with("etcd://") || url.starts_with("etcds://")) return open_etcd(url);
  throw Error(Status::kUsage, "open store", without_password(url),
              "expected sqlite:PATH or etcd://HOST:PORT,HOST:PORT,...");
}

std::optional<Lock> Store::lock(std::string_view name, const Clock& clock, Milliseconds deadline) {
  constexpr Milliseconds kAgain{50};
  for (;;) {
    if (auto lock = try_lock(name)) return lock;
    const Milliseconds now = clock.monotonic();
    if (now >= deadline) return std::nullopt;
    const auto woken = interrupt::wait_until(clock, std::min(deadline, now + kAgain), false);
    if (woken == interrupt::Woken::kInterrupt) return std::nullopt;
  }
}

void Store::scan(std::string_view first, std::string_view last, const Visit& visit) {
  const auto differ = std::mismatch(first.begin(), first.end(), last.begin(), last.end());
  const std::string_view prefix = first.substr(0, static_cast<std::size_t>(differ.first - first.begin()));
  for (const auto& entry : list(prefix)) {
    if (entry.key >= first && entry.key < last && !visit(entry)) return;
  }
}

std::optional<std::int64_t> Store::update(std::string_view name, const Work& work) {
  const Milliseconds deadline = system_clock().monotonic() + kTurn;
  const auto turn = lock(name, system_clock(), deadline);
  if (!turn) throw Error(Status::kBusy, "write store", std::string(name), "others are writing it");
  for (;;) {
    ComparedView view(*this);
    auto transaction = work(view);
    if (!transaction) return std::nullopt;
    view.demand(*transaction);
    if (const auto version = commit(*transaction)) return version;
    // Somebody wrote it without the lock.
    if (system_clock().monotonic() >= deadline) {
      throw Error(Status::kBusy, "write store", std::string(name), "others write it all the time");
    }
  }
}

void check_key(std::string_view key) {
  const bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (key.empty() || key.size() > 512 || !printable) {
    throw Error(Status::kUsage, "use store", "key \"" + std::string(key) + "\"",
                "expected 1 to 512 printable characters without blanks");
  }
}

void check_lock_name(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
  if (name.empty() || name.size() > 64 || !plain) {
    throw Error(Status::kUsage, "use store", "lock \"" + std::string(name) + "\"",
                "expected 1 to 64 characters of a-z 0-9 _ - .");
  }
}

}  // namespace rackline::store
