// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace rackline::store {

// State that must last, behind an interface small enough for an embedded database and for etcd alike: keys
// with versions, transactions of compares and writes, listing by prefix, and locks that vanish with their
// holder.
//
// Keys are paths of printable ASCII without blanks, e.g. "journal/migrate/3f2a"; values are JSON text. The
// store does not look into values.

struct Entry {
  std::string key;
  std::string value;
  // Grows with every committed transaction of the whole store (etcd's mod_revision) and is never used twice,
  // so that a key which was deleted and written again cannot be taken for the old one.
  std::int64_t version = 0;
};

// Holds when the key has exactly this version; version 0: when there is no such key.
struct Compare {
  std::string key;
  std::int64_t version = 0;
};

struct Put {
  std::string key;
  std::string value;
};

// What is done together or not at all. A key may be written only once in one transaction (as in etcd).
struct Transaction {
  std::vector<Compare> compares;
  std::vector<Put> puts;
  std::vector<std::string> deletes;  // a key that is not there is no error
};

// A held lock; it is given back with this object, and when the process ends in whatever way.
//
// Where the store is another machine, a lock is a lease, and a holder that stood still or was cut off for too
// long has lost it. It is then asked to stop in order (interrupt.h), and every transaction of the store
// object that the lock came from fails with Error(kBusy): what is written under a lock is never written
// without it.
class Lock {
 public:
  struct Holder {
    virtual ~Holder() = default;
    virtual bool lost() const { return false; }
  };
  explicit Lock(std::unique_ptr<Holder> holder) : holder_(std::move(holder)) {}

  // To be asked before an act that no transaction guards.
  bool lost() const { return holder_->lost(); }

 private:
  std::unique_ptr<Holder> holder_;
};

// Safe to use from several threads. Every call throws Error naming the store: kUnreachable when it cannot be
// read or written (a full disk, a file that is no database), kBusy when another process keeps it locked for
// longer than ten seconds, or a lock of this object was lost, kUsage for a key or lock name of the wrong form
// or a transaction that is larger than the engine takes.
class Store {
 public:
  // "sqlite:PATH": a missing file is created, and its directory too when that directory's parent exists.
  // "etcd://HOST:PORT,HOST:PORT,...": see etcd.h.
  // Throws Error(kUsage) for another scheme.
  static std::unique_ptr<Store> open(const std::string& url);

  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  virtual std::optional<Entry> get(std::string_view key) = 0;

  // All entries whose key begins with `prefix`, in the byte order of their keys, as of one instant.
  virtual std::vector<Entry> list(std::string_view prefix) = 0;

  // Carries out the whole transaction durably (on disk when it returns) and returns the version that its puts
  // got; or nothing, when one of the compares did not hold.
  virtual std::optional<std::int64_t> commit(const Transaction& transaction) = 0;

  // Takes the lock of that name ([a-z0-9_.-]+), or nothing when somebody holds it, be it in this process.
  virtual std::optional<Lock> try_lock(std::string_view name) = 0;

  // As try_lock, asking again every 50 ms until `deadline` (on the monotonic clock) or until a stop is asked
  // for (interrupt.h). Asking again, because flock(2) has no time limit short of a signal.
  std::optional<Lock> lock(std::string_view name, const Clock& clock, Milliseconds deadline);

 protected:
  Store() = default;
};

// Throw Error(kUsage) for a key or a lock name that an implementation could not hold.
void check_key(std::string_view key);
void check_lock_name(std::string_view name);

}  // namespace rackline::store
