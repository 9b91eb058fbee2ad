// SPDX-License-Identifier: Apache-2.0
#include "store/etcd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/id.h"
#include "store/etcd_client.h"
#include "store/etcd_lock.h"
#include "store/etcd_turn.h"
#include "store/file_turn.h"

namespace rackline::store {
namespace {

constexpr const char* kTransaction = "/v3/kv/txn";
constexpr const char* kLeaseGone = "lease not found";
// Entries in one answer: few at first, as a scan may want no more.
constexpr std::int64_t kFirstPage = 64, kLargestPage = 4096;
constexpr std::size_t kFullPage = std::size_t{4} << 20;  // bytes, far below the longest answer that is taken
// A marker lives as long as its lease, which nobody keeps alive: what a run leaves behind is gone soon after
// it. It is used for half of that time, so that it does not end while a transaction is on its way.
constexpr std::chrono::seconds kMarkerTtl{60};
constexpr Milliseconds kMarkerUse{30'000};

void check_keys(const Transaction& transaction) {
  for (const auto& condition : transaction.compares) check_key(condition.key);
  for (const auto& write : transaction.puts) check_key(write.key);
  for (const auto& key : transaction.deletes) check_key(key);
}

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

class EtcdStore final : public Store {
 public:
  EtcdStore(const std::string& url, EtcdOptions options)
      : core_(new EtcdCore{EtcdClient(url, parse_etcd_url(url)), {}, std::move(options)}),
        entries_(core_->client.prefix() + "kv/"),
        locks_(core_->client.prefix() + "lock/"),
        markers_(core_->client.prefix() + "txn/"),
        turns_(core_->client.prefix() + "turn/") {}

  std::optional<Entry> get(std::string_view key) override {
    check_key(key);
    return read(entries_ + std::string(key), deadline());
  }

  std::vector<Entry> list(std::string_view prefix) override {
    if (!prefix.empty()) check_key(prefix);
    std::vector<Entry> entries;
    const auto keep = [&](const Entry& entry) {
      entries.push_back(entry);
      return true;
    };
    const std::string first = entries_ + std::string(prefix);
    while (!walk(first, end_of_prefix(first), 0, keep)) entries.clear();
    return entries;
  }

  void scan(std::string_view first, std::string_view last, const Visit& visit) override {
    if (!walk(entries_ + std::string(first), entries_ + std::string(last), 0, visit)) compacted();
  }

  std::optional<std::int64_t> update(std::string_view name, const Work& work) override;
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

  // The entries first <= key < last as of a revision, 0: of now. False: etcd has forgotten that revision
  // meanwhile (compaction); some may have been visited already.
  bool walk(const std::string& first, const std::string& last, std::int64_t revision, const Visit& visit) {
    Json request = key_request(first);
    request["range_end"] = to_base64(last);
    for (std::int64_t page = kFirstPage;;) {
      request["limit"] = std::to_string(page);
      if (revision != 0) request["revision"] = std::to_string(revision);
      const auto reply = core_->client.call("read store", "/v3/kv/range", request, deadline(), page > 1);
      if (reply.too_long) {
        page = std::max<std::int64_t>(page / 4, 1);
        continue;
      }
      if (reply.error.find("compacted") != std::string::npos) return false;
      if (!reply.error.empty()) core_->refuse("read store", reply);
      if (revision == 0) revision = revision_of(reply);
      const auto pairs = reply.body.find("kvs");
      if (pairs == reply.body.end() || pairs->empty()) return true;
      Entry entry;
      std::size_t bytes = 0;
      for (const auto& pair : *pairs) {
        entry = ours(entry_of(pair));
        bytes += entry.value.size();
        if (!visit(entry)) return true;
      }
      if (bytes < kFullPage) page = std::min(2 * page, kLargestPage);
      if (bytes > 2 * kFullPage) page = std::max<std::int64_t>(page / 2, 1);
      if (!reply.body.value("more", false)) return true;
      request["key"] = to_base64(entries_ + entry.key + '\0');
    }
  }
  [[noreturn]] void compacted() const {
    throw Error(Status::kUnreachable, "read store", core_->client.url(),
                "etcd has compacted what was being read", "again");
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

  void add_writes(Json& request, const Transaction& transaction) const;
  bool guard_locks(const std::vector<std::pair<std::string, std::int64_t>>& held, const EtcdReply& reply,
                   std::size_t from) const;
  std::optional<FileTurn> wait_for_turn(std::string_view name) const;

  class Snapshot;
  std::optional<std::int64_t> find_done(const std::string& key, EtcdTurn turn,
                                        const std::vector<std::string>& sent, std::int64_t counted) const;

  std::shared_ptr<EtcdCore> core_;
  std::string entries_, locks_, markers_, turns_;
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

void EtcdStore::add_writes(Json& request, const Transaction& transaction) const {
  for (const auto& condition : transaction.compares)
    request["compare"].push_back(compare(entries_ + condition.key, condition.version));
  for (const auto& key : transaction.deletes)
    request["success"].push_back({{"request_delete_range", key_request(entries_ + key)}});
  for (const auto& write : transaction.puts)
    request["success"].push_back(put(entries_ + write.key, write.value));
}

// After a transaction that did not hold, and of which the ranges of the held locks begin at `from`. True: one
// of them was given back by another thread, in order, while it was on its way. Throws Error(kBusy) when one
// was lost.
bool EtcdStore::guard_locks(const std::vector<std::pair<std::string, std::int64_t>>& held,
                            const EtcdReply& reply, std::size_t from) const {
  bool given_back = false;
  for (std::size_t i = 0; i < held.size(); ++i) {
    const auto& [key, revision] = held[i];
    if (found(reply, from + i).version == revision) continue;
    if (core_->locks.holds(key, revision)) {
      throw Error(Status::kBusy, "write store", core_->client.url(),
                  "the lock " + key.substr(locks_.size()) + " was lost", "another may hold it now");
    }
    given_back = true;
  }
  return given_back;
}

std::optional<std::int64_t> EtcdStore::commit(const Transaction& transaction) {
  check_keys(transaction);
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
    add_writes(request, transaction);
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
    if (!guard_locks(held, reply, 1)) return std::nullopt;
  }
}

// The store at one revision, which is that of the first read; with that the turn is read.
class EtcdStore::Snapshot final : public View {
 public:
  Snapshot(EtcdStore& store, std::string turn_key) : store_(store), turn_key_(std::move(turn_key)) {}

  std::optional<Entry> get(std::string_view key) override {
    check_key(key);
    const std::string whole = store_.entries_ + std::string(key);
    if (revision_ == 0) return begin(whole);
    Json request = key_request(whole);
    request["revision"] = std::to_string(revision_);
    const auto reply = store_.core_->client.call("read store", "/v3/kv/range", request, store_.deadline());
    if (reply.error.find("compacted") != std::string::npos) store_.compacted();
    if (!reply.error.empty()) store_.core_->refuse("read store", reply);
    const Json pairs = reply.body.value("kvs", Json::array());
    return pairs.empty() ? std::nullopt : std::optional(store_.ours(entry_of(pairs[0])));
  }
  void scan(std::string_view first, std::string_view last, const Visit& visit) override {
    turn();
    if (!store_.walk(store_.entries_ + std::string(first), store_.entries_ + std::string(last), revision_,
                     visit))
      store_.compacted();
  }
  const EtcdTurn& turn() {
    if (revision_ == 0) begin(turn_key_);
    return turn_;
  }

 private:
  std::optional<Entry> begin(const std::string& key) {
    const Json request{{"success", Json::array({range(turn_key_), range(key)})}};
    const auto reply = store_.core_->client.call("read store", kTransaction, request, store_.deadline());
    if (!reply.error.empty()) store_.core_->refuse("read store", reply);
    revision_ = revision_of(reply);
    turn_ = EtcdTurn::from(found(reply, 0));
    Entry entry = found(reply, 1);
    if (entry.version == 0) return std::nullopt;
    return store_.ours(std::move(entry));
  }

  EtcdStore& store_;
  std::string turn_key_;
  std::int64_t revision_ = 0;
  EtcdTurn turn_;
};

// Those of one machine wait for each other here, which is fair and costs etcd nothing; what is left is a race
// between machines. Nothing where no file can be made: then all of them race.
std::optional<FileTurn> EtcdStore::wait_for_turn(std::string_view name) const {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const std::string directory = runtime != nullptr && *runtime != '\0' ? runtime : "/tmp";
  const std::string file = directory + "/rackline-" + std::to_string(geteuid()) + "-" +
                           hex(fnv1a(core_->client.url() + " " + std::string(name))) + ".turn";
  Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat about = {};
  if (!fd || fstat(fd.get(), &about) != 0 || about.st_uid != geteuid()) return std::nullopt;
  auto turn = FileTurn::take(std::move(fd), core_->options.timeout);
  if (!turn) throw Error(Status::kBusy, "write store", core_->client.url(), "others are writing it");
  return turn;
}

// Whether one of these deliveries was carried out since there had been `counted` updates, and as which
// revision.
std::optional<std::int64_t> EtcdStore::find_done(const std::string& key, EtcdTurn turn,
                                                 const std::vector<std::string>& sent,
                                                 std::int64_t counted) const {
  for (;;) {
    if (const auto version = turn.find(sent)) return version;
    if (turn.count - static_cast<std::int64_t>(turn.latest.size()) <= counted) return std::nullopt;
    if (turn.latest.empty()) unknown_outcome(core_->client.url());
    Json request = key_request(key);
    request["revision"] = std::to_string(turn.latest.back().before);
    const auto reply = core_->client.call("read store", "/v3/kv/range", request, deadline());
    const Json pairs = reply.body.value("kvs", Json::array());
    if (!reply.error.empty() || pairs.empty()) unknown_outcome(core_->client.url());  // compacted
    turn = EtcdTurn::from(entry_of(pairs[0]));
  }
}

std::optional<std::int64_t> EtcdStore::update(std::string_view name, const Work& work) {
  check_lock_name(name);
  const auto waited = wait_for_turn(name);
  const Milliseconds until = deadline();
  const std::string key = turns_ + std::string(name);
  std::vector<std::string> sent;  // deliveries that may still be on their way, or have come unseen
  std::int64_t counted = 0;       // updates that there had been when the first of them was sent
  Milliseconds pause{1};
  for (;;) {
    Snapshot view(*this, key);
    // Before the work is done again: it would find its own doing there.
    if (!sent.empty()) {
      if (const auto version = find_done(key, view.turn(), sent, counted)) return version;
    }
    std::optional<Transaction> wanted;
    std::exception_ptr failed;
    try {
      wanted = work(view);
    } catch (const Error&) {
      if (sent.empty()) throw;
      failed = std::current_exception();
    }
    if (!wanted && sent.empty()) return std::nullopt;
    const EtcdTurn& turn = view.turn();
    if (wanted) check_keys(*wanted);

    const auto held = core_->locks.all();
    const std::string id = random_id();
    Json request{{"compare", Json::array({compare(key, turn.revision)})},
                 {"success", Json::array({put(key, turn.next(id))})},
                 {"failure", Json::array()}};
    for (const auto& [lock, revision] : held) {
      request["compare"].push_back(compare(lock, revision));
      request["failure"].push_back(range(lock));
    }
    // Nothing is wanted any more: the turn is moved, so that what was sent before can never hold.
    if (wanted) add_writes(request, *wanted);
    if (sent.empty()) counted = turn.count;
    const auto reply = core_->client.call("write store", kTransaction, request, until);
    if (!reply.error.empty()) core_->refuse("write store", reply);
    if (succeeded(reply)) {
      if (failed) std::rethrow_exception(failed);
      return wanted ? std::optional(revision_of(reply)) : std::nullopt;
    }
    if (reply.unsure) sent.push_back(id);
    guard_locks(held, reply, 0);
    if (system_clock().monotonic() + pause >= until) {
      if (!sent.empty()) unknown_outcome(core_->client.url());
      throw Error(Status::kBusy, "write store", core_->client.url(), "others write it all the time");
    }
    // Another machine was quicker; a different pause on each lets one of them win.
    std::this_thread::sleep_for(pause + Milliseconds{static_cast<unsigned char>(id[0]) % 7});
    pause = std::min(2 * pause, Milliseconds{64});
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
    return Lock(std::make_unique<EtcdLock>(core_, std::string(name), key, lease, since));
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
