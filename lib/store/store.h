// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
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

// Is handed one entry after the other; false: no more are wanted.
using Visit = std::function<bool(const Entry&)>;

// What an update reads: the store as of one instant, which no other update of the same name changes
// meanwhile.
class View {
 public:
  virtual ~View() = default;
  virtual std::optional<Entry> get(std::string_view key) = 0;
  virtual void scan(std::string_view first, std::string_view last, const Visit& visit) = 0;
};

// Reads, and answers with what is to be written; nothing: leave everything as it is. It may be called again,
// when somebody else was quicker, so it must have no effect but its answer. It must not use the store itself.
using Work = std::function<std::optional<Transaction>(View&)>;

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

  // Hands over the entries first <= key < last in the byte order of their keys, as of one instant and without
  // holding them all in memory. `visit` must not use the store.
  virtual void scan(std::string_view first, std::string_view last, const Visit& visit);

  // Reads and writes as one, and returns the version of what was written, or nothing when `work` wanted
  // nothing written. Updates of one `name` (a lock's name) happen one after the other, in the order in which
  // they asked: with many writers, transactions that only compare would make each other fail for ever.
  // Throws Error(kBusy) when its turn does not come within ten seconds, and what `work` throws.
  //
  // This one takes the lock and compares what was read, so that it holds on any store; one that has
  // transactions which read does better.
  virtual std::optional<std::int64_t> update(std::string_view name, const Work& work);

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
