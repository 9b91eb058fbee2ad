// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "store/etcd.h"
#include "store/etcd_client.h"
#include "store/store.h"

namespace rackline::store {

// The locks that a store object holds: key to the revision that its put got.
class EtcdLocks {
 public:
  void add(const std::string& key, std::int64_t revision) {
    const std::lock_guard guard(mutex_);
    held_[key] = revision;
  }
  void remove(const std::string& key) {
    const std::lock_guard guard(mutex_);
    held_.erase(key);
  }
  std::vector<std::pair<std::string, std::int64_t>> all() const {
    const std::lock_guard guard(mutex_);
    return {held_.begin(), held_.end()};
  }
  bool holds(const std::string& key, std::int64_t revision) const {
    const std::lock_guard guard(mutex_);
    const auto at = held_.find(key);
    return at != held_.end() && at->second == revision;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::int64_t> held_;
};

// Shared by the store and its locks, which may outlive it.
struct EtcdCore {
  EtcdClient client;
  EtcdLocks locks;
  EtcdOptions options;

  std::int64_t grant(std::chrono::seconds ttl, Milliseconds deadline);
  void revoke(std::int64_t lease, Milliseconds deadline);
  // False: there is no such lease any more.
  bool keep_alive(std::int64_t lease, Milliseconds deadline);
  // Throws Error for an answer that is no success, with what can be done about it.
  [[noreturn]] void refuse(const std::string& attempted, const EtcdReply& reply) const;
};

// A lock whose lease a thread keeps alive.
class EtcdLock final : public Lock::Holder {
 public:
  // `since` is when the lease was asked for: it cannot end before that and its time to live.
  EtcdLock(std::shared_ptr<EtcdCore> core, std::string name, std::string key, std::int64_t lease,
           Milliseconds since);
  ~EtcdLock() override;
  bool lost() const override;

 private:
  void keep();

  std::shared_ptr<EtcdCore> core_;
  std::string name_, key_;
  std::int64_t lease_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Milliseconds valid_until_{};
  bool stopped_ = false, lost_ = false;
  std::thread keeper_;
};

}  // namespace rackline::store
