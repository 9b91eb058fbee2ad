// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/time.h"
#include "store/store.h"

namespace rackline::store {

struct EtcdOptions {
  Milliseconds timeout{10'000};  // longest that one call of the store takes
  std::chrono::seconds lock_ttl{5};
  // Called once, by a thread of the store, when a held lock was lost. Empty: an orderly stop of the process
  // is asked for (interrupt.h), since whoever holds a lock acts on its strength.
  std::function<void(const std::string& lock)> on_lost = {};
};

// The store of several machines: etcd 3.4 or newer over its JSON gateway,
// https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/.
//
// `url` is "etcd://HOST:PORT,HOST:PORT,...[/PREFIX]", or "etcds://" for TLS; the port is 2379 where none is
// given. All keys stand below PREFIX ("rackline"), so that several clusters can share one etcd. The members
// are asked in turn when one does not answer. RACKLINE_ETCD_CACERT, _CERT and _KEY name the files of TLS,
// RACKLINE_ETCD_USER and RACKLINE_ETCD_PASSWORD_FILE the user where etcd's authentication is switched on.
//
// - Versions are etcd's revisions, and a list, however many answers it takes, is of one revision.
// - A transaction is done once, also when its answer is lost and it has to be sent again: it puts a marker of
//   this run beside its own writes and compares that the marker is as it was, so of several deliveries only
//   the first can hold. Whether it took place is unknown only when no member answers before the timeout; the
//   Error says so.
// - A lock is a key with a lease that this process keeps alive. When the lease is lost (the process stood
//   still, or no member answered for so long), another may take the lock: then on_lost is called,
//   Lock::lost() says so, and every transaction of this store object fails with Error(kBusy), since each
//   carries the compare that all locks of this object are still held.
// - etcd takes at most 128 operations in one transaction unless it was started with --max-txn-ops; one of
//   them is the marker. More is Error(kUsage): splitting would not be one transaction.
std::unique_ptr<Store> open_etcd(const std::string& url, EtcdOptions options = {});

}  // namespace rackline::store
