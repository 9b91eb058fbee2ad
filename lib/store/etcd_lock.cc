// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_lock.h"

#include <csignal>

#include "base/error.h"
#include "base/interrupt.h"

namespace rackline::store {
namespace {

constexpr Milliseconds kGiveBack{2000};

}  // namespace

std::int64_t EtcdCore::grant(std::chrono::seconds ttl, Milliseconds deadline) {
  Json request;
  request["TTL"] = std::to_string(ttl.count());
  const auto reply = client.call("write store", "/v3/lease/grant", request, deadline);
  const std::int64_t lease = integer_of(reply.body, "ID");
  if (!reply.error.empty() || lease == 0) refuse("write store", reply);
  return lease;
}

void EtcdCore::revoke(std::int64_t lease, Milliseconds deadline) {
  Json request;
  request["ID"] = std::to_string(lease);
  client.call("write store", "/v3/lease/revoke", request, deadline);
}

bool EtcdCore::keep_alive(std::int64_t lease, Milliseconds deadline) {
  Json request;
  request["ID"] = std::to_string(lease);
  const auto reply = client.call("keep lock", "/v3/lease/keepalive", request, deadline);
  return reply.error.empty() && integer_of(reply.body, "TTL") > 0;
}

void EtcdCore::refuse(const std::string& attempted, const EtcdReply& reply) const {
  const std::string why = reply.error.empty() ? "an answer that is none" : reply.error;
  const auto says = [&](const char* text) { return why.find(text) != std::string::npos; };
  if (says("too many operations"))
    throw Error(Status::kUsage, attempted, client.url(), why,
                "etcd takes 128 operations in one transaction; start it with --max-txn-ops for more");
  if (says("duplicate key") || says("too large")) throw Error(Status::kUsage, attempted, client.url(), why);
  throw Error(
      Status::kUnreachable, attempted, client.url(), why,
      says("space exceeded") ? "compact and defragment etcd, then: etcdctl alarm disarm" : std::string{});
}

EtcdLock::EtcdLock(std::shared_ptr<EtcdCore> core, std::string name, std::string key, std::int64_t lease,
                   Milliseconds since)
    : core_(std::move(core)), name_(std::move(name)), key_(std::move(key)), lease_(lease) {
  valid_until_ = since + core_->options.lock_ttl;
  keeper_ = std::thread([this] { keep(); });
}

EtcdLock::~EtcdLock() {
  {
    const std::lock_guard guard(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  keeper_.join();
  core_->locks.remove(key_);
  try {
    core_->revoke(lease_, system_clock().monotonic() + kGiveBack);
  } catch (const Error&) {
    // Nobody answers: then the lease ends by itself.
  }
}

bool EtcdLock::lost() const {
  const std::lock_guard guard(mutex_);
  return lost_ || system_clock().monotonic() >= valid_until_;
}

void EtcdLock::keep() {
  const Milliseconds ttl = core_->options.lock_ttl;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, ttl / 3, [this] { return stopped_; })) {
    const Milliseconds until = valid_until_;
    lock.unlock();
    const Milliseconds asked = system_clock().monotonic();
    bool alive = false;
    try {
      alive = core_->keep_alive(lease_, until);
    } catch (const Error&) {
      alive = false;  // nobody answered until the lease was over
    }
    lock.lock();
    if (alive) {
      valid_until_ = asked + ttl;
      continue;
    }
    lost_ = true;
    lock.unlock();
    if (core_->options.on_lost) {
      core_->options.on_lost(name_);
    } else {
      interrupt::request(SIGTERM, "the lock of the store was lost, another may hold it: stopping");
    }
    return;
  }
}

}  // namespace rackline::store
