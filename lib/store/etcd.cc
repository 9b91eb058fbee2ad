// SPDX-License-Identifier: Apache-2.0
#include "store/etcd.h"

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/id.h"
#include "base/interrupt.h"
#include "store/etcd_client.h"

namespace rackline::store {
namespace {

constexpr const char* kTransaction = "/v3/kv/txn";
constexpr const char* kLeaseGone = "lease not found";
constexpr std::int64_t kPage = 1000;  // entries in one answer
// A marker lives as long as its lease, which nobody keeps alive: what a run leaves behind is gone soon after
// it. It is used for half of that time, so that it does not end while a transaction is on its way.
constexpr std::chrono::seconds kMarkerTtl{60};
constexpr Milliseconds kMarkerUse{30'000};
constexpr Milliseconds kGiveBack{2000};

Json key_request(const std::string& key) {
  Json request;
  request["key"] = to_base64(key);
  return request;
}

Json compare(const std::string& key, std::int64_t revision) {
  Json condition = key_request(key);
  condition["target"] = "MOD";
  condition["result"] = "EQUAL";
  condition["mod_revision"] = std::to_string(revision);
  return condition;
}

Json put(const std::string& key, const std::string& value, std::int64_t lease = 0) {
  Json request = key_request(key);
  request["value"] = to_base64(value);
  if (lease != 0) request["lease"] = std::to_string(lease);
  return {{"request_put", std::move(request)}};
}

Json range(const std::string& key) {
  return {{"request_range", key_request(key)}};
}

std::int64_t revision_of(const EtcdReply& reply) {
  return integer_of(reply.body.value("header", Json::object()), "revision");
}

Entry entry_of(const Json& pair) {
  return {from_base64(pair.value("key", "")), from_base64(pair.value("value", "")),
          integer_of(pair, "mod_revision")};
}

// What the n-th range of a failed transaction found.
Entry found(const EtcdReply& reply, std::size_t n) {
  const auto answers = reply.body.find("responses");
  if (answers == reply.body.end() || answers->size() <= n) return {};
  const auto pairs = (*answers)[n].value("response_range", Json::object()).value("kvs", Json::array());
  return pairs.empty() ? Entry{} : entry_of(pairs[0]);
}

bool succeeded(const EtcdReply& reply) {
  return reply.body.value("succeeded", false);
}

// The locks that a store object holds: key to the revision that its put got.
class HeldLocks {
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
struct Core {
  EtcdClient client;
  HeldLocks locks;
  EtcdOptions options;

  std::int64_t grant(std::chrono::seconds ttl, Milliseconds deadline) {
    Json request;
    request["TTL"] = std::to_string(ttl.count());
    const auto reply = client.call("write store", "/v3/lease/grant", request, deadline);
    const std::int64_t lease = integer_of(reply.body, "ID");
    if (!reply.error.empty() || lease == 0) refuse("write store", reply);
    return lease;
  }
  void revoke(std::int64_t lease, Milliseconds deadline) {
    Json request;
    request["ID"] = std::to_string(lease);
    client.call("write store", "/v3/lease/revoke", request, deadline);
  }
  // False: there is no such lease any more.
  bool keep_alive(std::int64_t lease, Milliseconds deadline) {
    Json request;
    request["ID"] = std::to_string(lease);
    const auto reply = client.call("keep lock", "/v3/lease/keepalive", request, deadline);
    return reply.error.empty() && integer_of(reply.body, "TTL") > 0;
  }
  [[noreturn]] void refuse(const std::string& attempted, const EtcdReply& reply) const {
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
};

class HeldLock final : public Lock::Holder {
 public:
  // `since` is when the lease was asked for: it cannot end before that and its time to live.
  HeldLock(std::shared_ptr<Core> core, std::string name, std::string key, std::int64_t lease,
           Milliseconds since)
      : core_(std::move(core)), name_(std::move(name)), key_(std::move(key)), lease_(lease) {
    valid_until_ = since + core_->options.lock_ttl;
    keeper_ = std::thread([this] { keep(); });
  }
  ~HeldLock() override {
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
  bool lost() const override {
    const std::lock_guard guard(mutex_);
    return lost_ || system_clock().monotonic() >= valid_until_;
  }

 private:
  void keep() {
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

  std::shared_ptr<Core> core_;
  std::string name_, key_;
  std::int64_t lease_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Milliseconds valid_until_{};
  bool stopped_ = false, lost_ = false;
  std::thread keeper_;
};

class EtcdStore final : public Store {
 public:
  EtcdStore(const std::string& url, EtcdOptions options)
      : core_(new Core{EtcdClient(url, parse_etcd_url(url)), {}, std::move(options)}),
        entries_(core_->client.prefix() + "kv/"),
        locks_(core_->client.prefix() + "lock/"),
        markers_(core_->client.prefix() + "txn/") {}

  std::optional<Entry> get(std::string_view key) override {
    check_key(key);
    return read(entries_ + std::string(key), deadline());
  }

  std::vector<Entry> list(std::string_view prefix) override {
    if (!prefix.empty()) check_key(prefix);
    const Milliseconds until = deadline();
    for (;;) {
      if (auto entries = list_once(entries_ + std::string(prefix), until)) return *entries;
    }
  }

  std::optional<std::int64_t> commit(const Transaction& transaction) override;
  std::optional<Lock> try_lock(std::string_view name) override;

 private:
  // What makes a transaction safe to be delivered twice.
  struct Marker {
    std::string key;
    std::int64_t revision = 0;
    std::int64_t lease = 0;
    Milliseconds since{};
  };

  Milliseconds deadline() const { return system_clock().monotonic() + core_->options.timeout; }

  std::optional<Entry> read(const std::string& key, Milliseconds until) {
    const auto reply = core_->client.call("read store", "/v3/kv/range", key_request(key), until);
    if (!reply.error.empty()) core_->refuse("read store", reply);
    const Json pairs = reply.body.value("kvs", Json::array());
    if (pairs.empty()) return std::nullopt;
    return ours(entry_of(pairs[0]));
  }

  Entry ours(Entry entry) const {
    if (entry.key.starts_with(entries_)) entry.key.erase(0, entries_.size());
    return entry;
  }

  // Nothing: etcd has forgotten that revision meanwhile (compaction), and the list has to begin anew.
  std::optional<std::vector<Entry>> list_once(const std::string& prefix, Milliseconds until) {
    std::vector<Entry> entries;
    Json request = key_request(prefix);
    request["range_end"] = to_base64(end_of_prefix(prefix));
    request["limit"] = std::to_string(kPage);
    for (std::int64_t revision = 0;;) {
      if (revision != 0) request["revision"] = std::to_string(revision);
      const auto reply = core_->client.call("read store", "/v3/kv/range", request, until);
      if (reply.error.find("compacted") != std::string::npos) return std::nullopt;
      if (!reply.error.empty()) core_->refuse("read store", reply);
      if (revision == 0) revision = revision_of(reply);
      const auto pairs = reply.body.find("kvs");
      if (pairs == reply.body.end() || pairs->empty()) return entries;
      for (const auto& pair : *pairs) entries.push_back(ours(entry_of(pair)));
      if (!reply.body.value("more", false)) return entries;
      request["key"] = to_base64(entries_ + entries.back().key + '\0');
    }
  }

  Marker take_marker(Milliseconds until) {
    {
      const std::lock_guard guard(mutex_);
      while (!idle_.empty()) {
        Marker marker = std::move(idle_.back());
        idle_.pop_back();
        if (system_clock().monotonic() - marker.since < kMarkerUse) return marker;
      }
    }
    Marker marker;
    marker.since = system_clock().monotonic();
    marker.lease = core_->grant(kMarkerTtl, until);
    marker.key = markers_ + random_id() + random_id();
    return marker;
  }
  void give_back(Marker marker) {
    const std::lock_guard guard(mutex_);
    idle_.push_back(std::move(marker));
  }

  bool void_delivery(Marker& marker, const std::string& id, std::int64_t& version, Milliseconds until);

  std::shared_ptr<Core> core_;
  std::string entries_, locks_, markers_;
  std::mutex mutex_;
  std::vector<Marker> idle_;
};

[[noreturn]] void unknown_outcome(const std::string& url) {
  throw Error(Status::kUnreachable, "write store", url, "the answer was lost",
              "it is not known whether the change was made: look before it is made again");
}

// After an answer "the compares do not hold" beside which an earlier delivery may still be on its way: moves
// the marker, so that it can never hold. True when that is done; false when the delivery came first, and then
// `version` is what it got.
bool EtcdStore::void_delivery(Marker& marker, const std::string& id, std::int64_t& version,
                              Milliseconds until) {
  const std::string own = random_id();
  const Json request{{"compare", Json::array({compare(marker.key, marker.revision)})},
                     {"success", Json::array({put(marker.key, own, marker.lease)})},
                     {"failure", Json::array({range(marker.key)})}};
  const auto reply = core_->client.call("write store", kTransaction, request, until);
  if (!reply.error.empty()) unknown_outcome(core_->client.url());
  if (succeeded(reply)) {
    marker.revision = revision_of(reply);
    return true;
  }
  const Entry present = found(reply, 0);
  if (present.value != own && present.value != id) unknown_outcome(core_->client.url());
  marker.revision = present.version;
  version = present.version;
  return present.value == own;
}

std::optional<std::int64_t> EtcdStore::commit(const Transaction& transaction) {
  for (const auto& condition : transaction.compares) check_key(condition.key);
  for (const auto& write : transaction.puts) check_key(write.key);
  for (const auto& key : transaction.deletes) check_key(key);
  const Milliseconds until = deadline();
  for (;;) {
    Marker marker = take_marker(until);
    const auto held = core_->locks.all();
    const std::string id = random_id() + random_id();
    Json request{{"compare", Json::array({compare(marker.key, marker.revision)})},
                 {"success", Json::array({put(marker.key, id, marker.lease)})},
                 {"failure", Json::array({range(marker.key)})}};
    for (const auto& [key, revision] : held) {
      request["compare"].push_back(compare(key, revision));
      request["failure"].push_back(range(key));
    }
    for (const auto& condition : transaction.compares)
      request["compare"].push_back(compare(entries_ + condition.key, condition.version));
    for (const auto& key : transaction.deletes)
      request["success"].push_back({{"request_delete_range", key_request(entries_ + key)}});
    for (const auto& write : transaction.puts)
      request["success"].push_back(put(entries_ + write.key, write.value));

    const auto reply = core_->client.call("write store", kTransaction, request, until);
    if (reply.error.find(kLeaseGone) != std::string::npos) {
      if (reply.unsure) unknown_outcome(core_->client.url());
      continue;  // this process stood still for long: with a new marker
    }
    if (!reply.error.empty()) {
      if (!reply.unsure) give_back(std::move(marker));
      core_->refuse("write store", reply);
    }
    const Entry present = found(reply, 0);
    if (succeeded(reply) || present.value == id) {
      marker.revision = succeeded(reply) ? revision_of(reply) : present.version;
      const std::int64_t version = marker.revision;
      give_back(std::move(marker));
      return version;
    }
    if (present.version != marker.revision) {
      if (reply.unsure) unknown_outcome(core_->client.url());
      continue;  // the marker's lease is over
    }
    if (std::int64_t version = 0; reply.unsure && !void_delivery(marker, id, version, until)) {
      give_back(std::move(marker));
      return version;
    }
    give_back(std::move(marker));
    bool given_back = false;
    for (std::size_t i = 0; i < held.size(); ++i) {
      const auto& [key, revision] = held[i];
      if (found(reply, i + 1).version == revision) continue;
      if (core_->locks.holds(key, revision)) {
        throw Error(Status::kBusy, "write store", core_->client.url(),
                    "the lock " + key.substr(locks_.size()) + " was lost", "another may hold it now");
      }
      given_back = true;  // by another thread, in order, while the transaction was on its way
    }
    if (!given_back) return std::nullopt;
  }
}

std::optional<Lock> EtcdStore::try_lock(std::string_view name) {
  check_lock_name(name);
  const Milliseconds until = deadline();
  const std::string key = locks_ + std::string(name);
  // Whoever waits asks again and again, so it is first asked what costs etcd no write.
  if (read(key, until)) return std::nullopt;
  const Milliseconds since = system_clock().monotonic();
  const std::int64_t lease = core_->grant(core_->options.lock_ttl, until);
  const std::string id = random_id() + random_id();
  const Json request{{"compare", Json::array({compare(key, 0)})},
                     {"success", Json::array({put(key, id, lease)})},
                     {"failure", Json::array({range(key)})}};
  const auto reply = core_->client.call("write store", kTransaction, request, until);
  const Entry present = found(reply, 0);
  if (reply.error.empty() && (succeeded(reply) || present.value == id)) {
    core_->locks.add(key, succeeded(reply) ? revision_of(reply) : present.version);
    return Lock(std::make_unique<HeldLock>(core_, std::string(name), key, lease, since));
  }
  // With its lease goes whatever delivery may still be on its way.
  core_->revoke(lease, until);
  if (!reply.error.empty() && reply.error.find(kLeaseGone) == std::string::npos)
    core_->refuse("write store", reply);
  return std::nullopt;
}

}  // namespace

std::unique_ptr<Store> open_etcd(const std::string& url, EtcdOptions options) {
  return std::make_unique<EtcdStore>(url, std::move(options));
}

}  // namespace rackline::store
