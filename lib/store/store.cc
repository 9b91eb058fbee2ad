// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "store/etcd.h"
#include "store/sqlite.h"

namespace rackline::store {

std::unique_ptr<Store> Store::open(const std::string& url) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (url.starts_with(kSqlite) && url.size() > kSqlite.size()) return open_sqlite(url.substr(kSqlite.size()));
  if (url.starts_with("etcd://") || url.starts_with("etcds://")) return open_etcd(url);
  throw Error(Status::kUsage, "open store", url, "expected sqlite:PATH or etcd://HOST:PORT,HOST:PORT,...");
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
