// SPDX-License-Identifier: Apache-2.0
// Many processes on one ledger, some of which are killed at random, and the very same transactions by the
// store's engine alone: SQLite on the same file, or etcd on the same members.
//
//     reserve-load ledger STORE LOG PROCESSES SECONDS KILLS_PER_SECOND
//     reserve-load sqlite FILE  LOG PROCESSES SECONDS TRANSACTIONS
//     reserve-load etcd   STORE LOG PROCESSES SECONDS TRANSACTIONS
//     reserve-load swap   STORE LOG PROCESSES SECONDS TRANSACTIONS
//
// LOG gets a line for each transaction that a process knows to be done, with the ids that it was told; ledger
// also makes LOG.transactions, which the others read. etcd writes blindly, all processes at once, as etcd's
// own benchmark does. swap does what any ledger there has to do: it reads, and writes if nobody else has
// written since, else again.
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "net/http.h"
#include "reserve/ledger_store.h"
#include "store/etcd_client.h"
#include "store/store.h"

namespace rackline {
namespace {

struct Load {
  std::string store, log;
  double seconds = 0;
  std::string transactions;
};

void note(int log, const std::string& line) {
  const std::string text = line + "\n";
  if (write(log, text.data(), text.size()) < 0) _exit(1);
}

// Hands on, and tells what a transaction wrote.
class Counted final : public store::Store {
 public:
  explicit Counted(std::unique_ptr<store::Store> inner) : inner_(std::move(inner)) {}
  std::optional<store::Entry> get(std::string_view key) override { return inner_->get(key); }
  std::vector<store::Entry> list(std::string_view prefix) override { return inner_->list(prefix); }
  void scan(std::string_view first, std::string_view last, const store::Visit& visit) override {
    inner_->scan(first, last, visit);
  }
  std::optional<std::int64_t> commit(const store::Transaction& transaction) override {
    return inner_->commit(transaction);
  }
  std::optional<store::Lock> try_lock(std::string_view name) override { return inner_->try_lock(name); }
  std::optional<std::int64_t> update(std::string_view name, const store::Work& work) override {
    return inner_->update(name, [&](store::View& view) {
      auto transaction = work(view);
      written.clear();
      if (transaction) {
        for (const auto& put : transaction->puts) written += put.key + "\t" + put.value + "\n";
        for (const auto& key : transaction->deletes) written += key + "\n";
        written += "\n";
      }
      return transaction;
    });
  }
  std::string written;  // by the last update: a line for each put, and an empty one

 private:
  std::unique_ptr<store::Store> inner_;
};

template <class T>
bool act(reserve::LedgerStore& ledgers, const std::function<reserve::Answer<T>(reserve::Ledger&)>& verb,
         T& out) {
  bool granted = false;
  ledgers.run([&](reserve::Ledger& ledger) {
    auto answer = verb(ledger);
    granted = std::holds_alternative<T>(answer);
    if (granted) out = std::get<T>(answer);
    return granted;
  });
  return granted;
}

// Claims, extends, borrows and releases until it is told to stop, or killed.
[[noreturn]] void ledger_worker(const Load& load, int log, unsigned seed) {
  try {
    const int written = open((load.log + ".transactions").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    Counted store(store::Store::open(load.store));
    reserve::LedgerStore ledgers(store, system_clock());
    std::mt19937_64 random(seed);
    const auto pick = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
    const std::vector<std::string> pools{"rack", "web", "db"};
    std::vector<std::string> mine;
    for (;;) {
      const int what = mine.size() > 4 ? 9 : pick(9);
      std::string told;
      bool done = false;
      if (what < 6) {
        reserve::ClaimRequest request;
        request.pool = pools[static_cast<std::size_t>(pick(2))];
        request.owner = "load";
        request.amounts = reserve::parse_amounts("cpu=" + std::to_string(1 + pick(3)) + ",memory=1GiB");
        request.period.length = 60 + pick(600);
        request.borrow = pick(2) == 0;
        reserve::Granted granted;
        done = act<reserve::Granted>(
            ledgers, [&](auto& ledger) { return ledger.claim(request); }, granted);
        if (done) mine.push_back(told = granted.claim.id);
        for (const auto& loan : granted.loans) told += " " + loan.id;
      } else if (what < 7 && !mine.empty()) {
        reserve::Granted granted;
        done = act<reserve::Granted>(
            ledgers,
            [&](auto& ledger) {
              return ledger.extend(mine.back(), {{}, {}, 60, {}});
            },
            granted);
        told = mine.back();
      } else if (what < 8) {
        reserve::LoanRequest request;
        request.borrower = pools[static_cast<std::size_t>(1 + pick(1))];
        request.amounts = reserve::parse_amounts("cpu=1");
        request.period.length = 30 + pick(60);
        reserve::Lent lent;
        done = act<reserve::Lent>(
            ledgers, [&](auto& ledger) { return ledger.borrow(request); }, lent);
        for (const auto& loan : lent.loans) told += (told.empty() ? "" : " ") + loan.id;
      } else if (!mine.empty()) {
        reserve::Ended ended;
        const std::string id = mine.front();
        mine.erase(mine.begin());
        done = act<reserve::Ended>(
            ledgers, [&](auto& ledger) { return ledger.release(id); }, ended);
        told = id;
      }
      if (!done) continue;
      note(log, told);
      if (write(written, store.written.data(), store.written.size()) < 0) _exit(1);
    }
  } catch (const std::exception& error) {
    note(log, std::string("error ") + error.what());
    _exit(1);
  }
}

struct Write {
  std::string key;
  std::optional<std::string> value;
};
std::vector<std::vector<Write>> recorded(const std::string& path) {
  constexpr std::size_t kMost = 10'000;
  std::vector<std::vector<Write>> all(1);
  std::ifstream file(path);
  for (std::string line; std::getline(file, line) && all.size() < kMost;) {
    const auto tab = line.find('\t');
    if (line.empty()) {
      all.emplace_back();
    } else if (tab == std::string::npos) {
      all.back().push_back({line, std::nullopt});
    } else {
      all.back().push_back({line.substr(0, tab), line.substr(tab + 1)});
    }
  }
  std::erase_if(all, [](const auto& writes) { return writes.empty(); });
  return all;
}

// What SQLite does by itself: a transaction that waits its turn and writes.
[[noreturn]] void sqlite_worker(const Load& load, int log, unsigned seed) {
  sqlite3* database = nullptr;
  if (sqlite3_open(load.store.c_str(), &database) != SQLITE_OK) _exit(1);
  sqlite3_busy_timeout(database, 10'000);
  sqlite3_exec(database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", nullptr, nullptr, nullptr);
  sqlite3_stmt* put = nullptr;
  sqlite3_stmt* remove = nullptr;
  sqlite3_prepare_v2(database, "INSERT OR REPLACE INTO peer VALUES (?1, ?2, ?3)", -1, &put, nullptr);
  sqlite3_prepare_v2(database, "DELETE FROM peer WHERE key = ?1", -1, &remove, nullptr);
  const auto transactions = recorded(load.transactions);
  if (transactions.empty()) _exit(1);
  const auto bind = [](sqlite3_stmt* statement, int at, const std::string& text) {
    sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  };
  for (std::size_t n = seed * 7919U;; ++n) {
    if (sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK) continue;
    for (const auto& each : transactions[n % transactions.size()]) {
      sqlite3_stmt* const statement = each.value ? put : remove;
      bind(statement, 1, each.key);
      if (each.value) {
        bind(statement, 2, *each.value);
        sqlite3_bind_int64(statement, 3, static_cast<sqlite3_int64>(n));
      }
      sqlite3_step(statement);
      sqlite3_reset(statement);
    }
    if (sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK) note(log, "done");
  }
}

// What etcd does by itself: blind writes, or one compare-and-swap after the other on a key that all share.
[[noreturn]] void etcd_worker(const Load& load, int log, unsigned seed, bool swap) {
  const auto address = store::parse_etcd_url(load.store);
  const std::string turn = store::to_base64("peer/turn");
  net::HttpClient http;
  const auto post = [&](const std::string& path, const store::Json& request) {
    const auto& endpoint = address.endpoints[seed % address.endpoints.size()];
    const auto answer = http.post(endpoint + path, request.dump(), {}, Milliseconds{10'000});
    return answer.status == 200 ? store::Json::parse(answer.body, nullptr, false) : store::Json();
  };
  const auto transactions = recorded(load.transactions);
  if (transactions.empty()) _exit(1);
  for (std::size_t n = seed * 7919U;; ++n) {
    store::Json request{{"success", store::Json::array()}};
    for (const auto& each : transactions[n % transactions.size()]) {
      const std::string key = store::to_base64("peer/" + each.key);
      if (each.value)
        request["success"].push_back(
            {{"request_put", {{"key", key}, {"value", store::to_base64(*each.value)}}}});
      else
        request["success"].push_back({{"request_delete_range", {{"key", key}}}});
    }
    if (!swap) {
      if (!post("/v3/kv/txn", request).is_null()) note(log, "done");
      continue;
    }
    request["success"].push_back({{"request_put", {{"key", turn}, {"value", ""}}}});
    for (bool done = false; !done;) {
      const auto found = post("/v3/kv/range", {{"key", turn}});
      if (found.is_null()) continue;
      const auto pairs = found.value("kvs", store::Json::array());
      const std::string revision = pairs.empty() ? "0" : pairs[0].value("mod_revision", "0");
      request["compare"] =
          store::Json::array({{{"key", turn}, {"target", "MOD"}, {"mod_revision", revision}}});
      done = post("/v3/kv/txn", request).value("succeeded", false);
    }
    note(log, "done");
  }
}

int run(int argc, char** argv) {
  if (argc < 7) {
    std::fputs("usage: see the head of bench/reserve_load.cc\n", stderr);
    return 2;
  }
  const std::string what = argv[1];
  const bool ledger = what == "ledger";
  const Load load{argv[2], argv[3], std::atof(argv[5]), ledger ? "" : argv[6]};
  const int processes = std::atoi(argv[4]);
  const double kills = ledger ? std::atof(argv[6]) : 0;
  const int log = open(load.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (log < 0) return 1;
  unsigned seed = 0;
  std::vector<pid_t> workers(static_cast<std::size_t>(processes));
  const auto start = [&](pid_t& worker) {
    ++seed;
    worker = fork();
    if (worker != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (ledger) ledger_worker(load, log, seed);
    if (what == "sqlite") sqlite_worker(load, log, seed);
    etcd_worker(load, log, seed, what == "swap");
  };
  for (auto& worker : workers) start(worker);
  const auto& clock = system_clock();
  const auto end = clock.monotonic() + Milliseconds{static_cast<std::int64_t>(load.seconds * 1000)};
  std::mt19937_64 random(42);
  auto next = clock.monotonic();
  int killed = 0;
  while (clock.monotonic() < end) {
    std::this_thread::sleep_for(Milliseconds{5});
    if (kills <= 0 || clock.monotonic() < next) continue;
    next += Milliseconds{static_cast<std::int64_t>(1000 / kills)};
    auto& worker = workers[random() % workers.size()];
    kill(worker, SIGKILL);
    waitpid(worker, nullptr, 0);
    ++killed;
    start(worker);
  }
  for (const auto worker : workers) kill(worker, SIGKILL);
  for (const auto worker : workers) waitpid(worker, nullptr, 0);
  std::printf("%d\n", killed);
  return 0;
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  return rackline::run(argc, argv);
}
