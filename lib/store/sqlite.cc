// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/own_file.h"
#include "base/time.h"
#include "store/file_turn.h"

namespace rackline::store {
namespace {

// "rkln" in the file's header: somebody else's database is never taken for a store.
constexpr int kApplicationId = 0x726b6c6e;
constexpr int kSchema = 1;
constexpr int kBusyMilliseconds = 10'000;
constexpr int kAgainMilliseconds = 2;

constexpr const char* kCreate =
    "CREATE TABLE entry (key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE revision (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL);"
    "INSERT INTO revision VALUES (1, 0);";

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};

class Statement {
 public:
  Statement(sqlite3* database, std::string_view sql) {
    code_ = sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  // Bound values must outlive the statement's steps.
  Statement& bind(int at, std::string_view text) {
    if (code_ == SQLITE_OK) {
      code_ = sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
    }
    return *this;
  }
  Statement& bind(int at, std::int64_t number) {
    if (code_ == SQLITE_OK) code_ = sqlite3_bind_int64(statement_, at, number);
    return *this;
  }
  int step() { return code_ == SQLITE_OK ? sqlite3_step(statement_) : code_; }

  std::string text(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return bytes == nullptr
               ? std::string{}
               : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_ = SQLITE_OK;
};

struct FileLock final : Lock::Holder {
  explicit FileLock(Fd held) : fd(std::move(held)) {}
  Fd fd;
};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(const std::string& path) : path_(own_path(path)) {
    create_file();
    sqlite3* opened = nullptr;
    const int code =
        sqlite3_open_v2(path_.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
    database_.reset(opened);
    if (code != SQLITE_OK) fail("open store", code);
    sqlite3_extended_result_codes(opened, 1);
    sqlite3_busy_timeout(opened, kBusyMilliseconds);
    prepare();
  }

  std::optional<Entry> get(std::string_view key) override {
    const std::lock_guard guard(mutex_);
    return read(key);
  }

  void scan(std::string_view first, std::string_view last, const Visit& visit) override {
    const std::lock_guard guard(mutex_);
    walk(first, last, visit);
  }

  std::optional<std::int64_t> update(std::string_view name, const Work& work) override {
    check_lock_name(name);
    const std::lock_guard guard(mutex_);
    return transact([&]() -> std::optional<std::int64_t> {
      Reading view(*this);
      const auto transaction = work(view);
      if (!transaction) return std::nullopt;
      check_keys(*transaction);
      return apply(*transaction);
    });
  }

  std::vector<Entry> list(std::string_view prefix) override {
    if (!prefix.empty()) check_key(prefix);
    // Keys are ASCII, so 0x7f stands above every continuation of the prefix.
    const std::string above = std::string(prefix) + '\x7f';
    std::vector<Entry> entries;
    scan(prefix, above, [&](const Entry& entry) {
      entries.push_back(entry);
      return true;
    });
    return entries;
  }

  std::optional<std::int64_t> commit(const Transaction& transaction) override {
    check_keys(transaction);
    const std::lock_guard guard(mutex_);
    return transact([&] { return apply(transaction); });
  }

  std::optional<Lock> try_lock(std::string_view name) override {
    check_lock_name(name);
    const std::string file = path_ + "." + std::string(name) + ".lock";
    Fd fd = open_lock(file);
    while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::nullopt;
      if (errno != EINTR) throw system_error(Status::kUnreachable, "take lock", file);
    }
    return Lock(std::make_unique<FileLock>(std::move(fd)));
  }

 private:
  class Reading final : public View {
   public:
    explicit Reading(SqliteStore& store) : store_(store) {}
    std::optional<Entry> get(std::string_view key) override { return store_.read(key); }
    void scan(std::string_view first, std::string_view last, const Visit& visit) override {
      store_.walk(first, last, visit);
    }

   private:
    SqliteStore& store_;
  };

  std::optional<Entry> read(std::string_view key) {
    check_key(key);
    Statement select(database_.get(), "SELECT key, value, version FROM entry WHERE key = ?1");
    const int code = select.bind(1, key).step();
    if (code == SQLITE_DONE) return std::nullopt;
    if (code != SQLITE_ROW) fail("read store", code);
    return Entry{select.text(0), select.text(1), select.integer(2)};
  }

  void walk(std::string_view first, std::string_view last, const Visit& visit) {
    Statement select(database_.get(),
                     "SELECT key, value, version FROM entry WHERE key >= ?1 AND key < ?2 ORDER BY key");
    select.bind(1, first).bind(2, last);
    int code = SQLITE_ROW;
    while ((code = select.step()) == SQLITE_ROW) {
      if (!visit({select.text(0), select.text(1), select.integer(2)})) return;
    }
    if (code != SQLITE_DONE) fail("read store", code);
  }

  static void check_keys(const Transaction& transaction) {
    for (const auto& compare : transaction.compares) check_key(compare.key);
    for (const auto& put : transaction.puts) check_key(put.key);
    for (const auto& key : transaction.deletes) check_key(key);
  }

  // SQLite has no queue: who finds the database locked sleeps and looks again, and beside one that writes
  // without a pause may never find it free.
  FileTurn wait_for_turn() const {
    auto turn = FileTurn::take(open_lock(path_ + ".turn"), Milliseconds{kBusyMilliseconds});
    if (!turn) throw Error(Status::kBusy, "write store", path_, "others are writing it");
    return std::move(*turn);
  }

  // IMMEDIATE: a deferred transaction that turns from reading to writing may fail with "busy" at once.
  std::optional<std::int64_t> transact(const std::function<std::optional<std::int64_t>()>& work) {
    const FileTurn turn = wait_for_turn();
    execute("write store", "BEGIN IMMEDIATE");
    try {
      const auto version = work();
      if (version) require_in_place();
      execute("write store", version ? "COMMIT" : "ROLLBACK");
      return version;
    } catch (...) {
      // After some errors (a full disk) SQLite has rolled back by itself, and this is then a harmless error.
      sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }

  [[noreturn]] void fail(const std::string& attempted, int code) const {
    std::string why = sqlite3_errstr(code & 0xff);
    if (database_) {
      const std::string detail = sqlite3_errmsg(database_.get());
      if (!detail.empty() && detail != "not an error") why = detail;
      if (const int number = sqlite3_system_errno(database_.get());
          number != 0 && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN)) {
        why += ": " + std::generic_category().message(number);
      }
    }
    const bool busy = (code & 0xff) == SQLITE_BUSY;
    throw Error(busy ? Status::kBusy : Status::kUnreachable, attempted, path_, why);
  }

  // The real one: SQLite's log, the locks and the turn stand beside it whatever name it was opened by.
  static std::string own_path(const std::string& path) {
    std::string real = path;
    real = real_file(path);  // @rule 17-locks-of-the-file
    struct stat about = {};
    if (stat(real.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) {
      errno = EISDIR;
      throw out_of_reach("open store", path);
    }
    require_own_file("open store", path);  // @rule 16-store-of-somebody-else
    for (const auto* beside : {"-wal", "-shm"})
      require_own_file("open store", real + beside);  // @rule 16-store-of-somebody-else
    return real;
  }

  // Who has not chosen a place may not know that there is a choice.
  static Error out_of_reach(const std::string& attempted, const std::string& path) {
    const bool elsewhere = errno == EACCES || errno == EPERM || errno == EROFS || errno == ENOENT;
    const Error error = system_error(Status::kUnreachable, attempted, path);
    return {error.status(), attempted, path, error.why(),
            elsewhere ? "--store sqlite:PATH or RACKLINE_STORE name another place" : ""};
  }

  // SQLite could create the file itself, but readable by everybody; what stands in journals is not
  // everybody's.
  void create_file() {
    const auto parent = std::filesystem::path(path_).parent_path();
    if (!parent.empty() && ::mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST) {
      throw out_of_reach("create directory of store", parent);
    }
    struct stat about = {};
    if (stat(path_.c_str(), &about) != 0) {
      if (errno != ENOENT) throw out_of_reach("open store", path_);
      const Fd fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
      if (!fd) throw out_of_reach("open store", path_);
      if (fstat(fd.get(), &about) != 0) throw system_error(Status::kUnreachable, "open store", path_);
    }
    // One that is there is not opened here: closing it again would give back the locks that another
    // connection of this process has on it (fcntl(2)), and the next process to end would take the log away
    // from under it.
    if (faccessat(AT_FDCWD, path_.c_str(), R_OK | W_OK, AT_EACCESS) != 0)
      throw out_of_reach("open store", path_);
    if (!S_ISREG(about.st_mode)) throw Error(Status::kUnreachable, "open store", path_, "not a regular file");
    device_ = about.st_dev;
    inode_ = about.st_ino;
  }

  // SQLite goes on writing a file that has no name any more, or another one than whoever comes next will
  // find: what would be acknowledged then would be lost.
  void require_in_place() const {
    struct stat about = {};
    if (stat(path_.c_str(), &about) == 0 && about.st_dev == device_ && about.st_ino == inode_) return;
    throw Error(Status::kUnreachable, "write store", path_, "the file was removed or replaced meanwhile");
  }

  static Fd open_lock(const std::string& file) {
    require_own_file("open lock", file);  // @rule 16-store-of-somebody-else
    Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) throw system_error(Status::kUnreachable, "open lock", file);
    return fd;
  }

  void execute(const char* attempted, const char* sql) {
    const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(attempted, code);
  }

  std::int64_t number(const char* sql) {
    Statement statement(database_.get(), sql);
    const int code = statement.step();
    if (code != SQLITE_ROW) fail("open store", code);
    return statement.integer(0);
  }

  // Of several that change a new store over at once, SQLite tells all but one "locked" without asking its
  // busy handler (each reads what the others want to write), so they have to let go and ask again.
  void use_write_ahead_log() {
    const auto deadline = system_clock().monotonic() + Milliseconds{kBusyMilliseconds};
    for (;;) {
      // The answer is the mode it is in now; a file system without shared memory cannot do WAL.
      Statement wal(database_.get(), "PRAGMA journal_mode=WAL");
      const int code = wal.step();
      if (code == SQLITE_ROW && wal.text(0) == "wal") return;
      if (code == SQLITE_ROW)
        throw Error(Status::kUnreachable, "open store", path_, "no write-ahead log there");
      if ((code & 0xff) != SQLITE_BUSY || system_clock().monotonic() >= deadline) fail("open store", code);
      sqlite3_sleep(kAgainMilliseconds);
    }
  }

  void prepare() {
    // Looked at before anything is changed: a foreign file must stay as it is.
    if (number("SELECT count(*) FROM sqlite_master") > 0) {
      if (number("PRAGMA application_id") != kApplicationId) {  // @rule 16-foreign-database
        throw Error(Status::kUnreachable, "open store", path_, "a database of another program");
      }
      if (const auto schema = number("PRAGMA user_version"); schema > kSchema) {
        throw Error(Status::kUnreachable, "open store", path_,
                    "written by a newer version (schema " + std::to_string(schema) + ")");
      }
    }
    use_write_ahead_log();
    execute("open store", "PRAGMA synchronous=FULL");
    if (number("SELECT count(*) FROM sqlite_master") > 0) return;
    const FileTurn turn = wait_for_turn();
    execute("create store", "BEGIN IMMEDIATE");
    // Two first users may have arrived together: the second finds the tables there.
    if (number("SELECT count(*) FROM sqlite_master") == 0) {
      execute("create store", kCreate);
      execute("create store", ("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str());
      execute("create store", ("PRAGMA user_version=" + std::to_string(kSchema)).c_str());
    }
    execute("create store", "COMMIT");
  }

  std::optional<std::int64_t> apply(const Transaction& transaction) {
    for (const auto& compare : transaction.compares) {
      Statement select(database_.get(), "SELECT version FROM entry WHERE key = ?1");
      const int code = select.bind(1, compare.key).step();
      if (code != SQLITE_ROW && code != SQLITE_DONE) fail("read store", code);
      if ((code == SQLITE_ROW ? select.integer(0) : 0) != compare.version) return std::nullopt;
    }
    Statement next(database_.get(), "UPDATE revision SET last = last + 1 RETURNING last");
    if (const int code = next.step(); code != SQLITE_ROW) fail("write store", code);
    const std::int64_t version = next.integer(0);
    // RETURNING hands out its row before the statement is over; it must be over before COMMIT.
    if (const int code = next.step(); code != SQLITE_DONE) fail("write store", code);
    for (const auto& key : transaction.deletes) {
      Statement remove(database_.get(), "DELETE FROM entry WHERE key = ?1");
      if (const int code = remove.bind(1, key).step(); code != SQLITE_DONE) fail("write store", code);
    }
    for (const auto& put : transaction.puts) {
      Statement upsert(database_.get(), "INSERT OR REPLACE INTO entry VALUES (?1, ?2, ?3)");
      const int code = upsert.bind(1, put.key).bind(2, put.value).bind(3, version).step();
      if (code != SQLITE_DONE) fail("write store", code);
    }
    return version;
  }

  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
  std::mutex mutex_;  // BEGIN … COMMIT belongs to one thread
};

}  // namespace

std::unique_ptr<Store> open_sqlite(const std::string& path) {
  return std::make_unique<SqliteStore>(path);
}

}  // namespace rackline::store
