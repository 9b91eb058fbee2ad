// SPDX-License-Identifier: Apache-2.0
#include "reserve/batch.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"
#include "reserve/listing.h"

namespace rackline::reserve {
namespace {

constexpr std::size_t kMostTogether = 1024;
constexpr std::size_t kMostWaiting = 4096;
constexpr Milliseconds kLook{100};

struct State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<record::ReservationRequest> queue;
  std::exception_ptr failure;
  bool over = false, abandoned = false, complete = false, written_by_program = false;
};

// Which line cannot be read, and what that means for the others.
Error unreadable(const record::Reader& reader, const Error& error, bool one_by_one) {
  return {Status::kUsage, "read requests", "stdin: line " + std::to_string(reader.line()), error.why(),
          one_by_one ? "the requests before it were carried out, those from it on were not; --atomic carries "
                       "out all or none"
                     : "nothing of the batch was granted"};
}

// Read on a thread of its own: what waits on the disk reads meanwhile.
void read_all(const std::shared_ptr<State>& state, const std::shared_ptr<record::Reader>& reader,
              const std::function<void(const record::Reader&)>& pass, bool bounded) {
  std::exception_ptr failure;
  bool by_program = false;
  try {
    record::ReservationRequest request;
    while (reader->next()) {
      const bool mine = reader->is<record::ReservationRequest>();
      if (mine && !reader->read(request)) continue;
      std::unique_lock lock(state->mutex);
      if (state->abandoned) return;
      if (!mine) {
        pass(*reader);
        continue;
      }
      by_program = by_program || !request.tool.empty();
      state->queue.push_back(request);
      state->changed.notify_all();
      state->changed.wait(lock,
                          [&] { return !bounded || state->queue.size() < kMostWaiting || state->abandoned; });
    }
  } catch (const Error& error) {
    failure = error.status() == Status::kUsage ? std::make_exception_ptr(unreadable(*reader, error, bounded))
                                               : std::current_exception();
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard guard(state->mutex);
  state->failure = failure;
  state->complete = reader->complete() && reader->end()->outcome == "ok";
  state->written_by_program = by_program || reader->end();
  state->over = true;
  state->changed.notify_all();
}

Refusal invalid(const record::ReservationRequest& record, const std::string& why) {
  return {.request = "claim",
          .constraint = "invalid",
          .id = record.id.value_or(""),
          .pool = record.pool,
          .owner = record.owner,
          .reason = why};
}

Answer<Granted> answer_to(Ledger& ledger, const record::ReservationRequest& record) {
  try {
    return ledger.claim(request_from(record, ledger.now()));
  } catch (const Error& error) {
    // A request that makes no sense is refused as one that cannot be had; what has befallen the store or the
    // clock concerns all of them.
    if (error.status() != Status::kUsage) throw;
    const std::string hint = error.hint().empty() ? "" : " (" + error.hint() + ")";
    return invalid(record, error.what() + hint);
  }
}

class Batch {
 public:
  Batch(LedgerStore& ledgers, const BatchOptions& options, const BatchSinks& sinks)
      : ledgers_(ledgers), options_(options), sinks_(sinks) {}

  // As many as the store takes in one transaction: an engine may know a limit (etcd), which only tells
  // itself.
  void carry_out(const std::vector<record::ReservationRequest>& requests) {
    for (std::size_t at = 0; at < requests.size();) {
      const auto count = std::min(together_, requests.size() - at);
      const auto first = requests.begin() + static_cast<std::ptrdiff_t>(at);
      try {
        together({first, first + static_cast<std::ptrdiff_t>(count)});
        at += count;
      } catch (const Error& error) {
        if (options_.atomic || error.status() != Status::kUsage || count == 1) throw;
        together_ = std::max<std::size_t>(count / 2, 1);
      }
    }
  }

  bool all_granted() const { return all_; }

 private:
  void together(const std::vector<record::ReservationRequest>& requests) {
    std::vector<BatchAnswer> answers;
    std::vector<Pool> pools;
    const auto work = [&](Ledger& ledger) {
      answers.clear();
      pools.clear();
      std::set<std::string> seen;
      bool all = true;
      for (const auto& request : requests) {
        auto answer = answer_to(ledger, request);
        all = all && std::holds_alternative<Granted>(answer);
        answers.push_back({std::move(answer), request.cause, ledger.now()});
        // Up to its root: that is where its hosts may stand.
        for (std::string name = request.pool; !name.empty() && seen.insert(name).second;) {
          const auto pool = ledger.find_pool(name);
          if (!pool) break;
          pools.push_back(*pool);
          name = pool->parent;
        }
      }
      return all || !options_.atomic;
    };
    if (options_.planned) {
      ledgers_.look([&](Ledger& ledger) { work(ledger); });
    } else {
      ledgers_.run(work);
    }
    for (const auto& pool : pools) sinks_.pool(pool);
    tell(answers, requests);
  }

  void tell(std::vector<BatchAnswer>& answers, const std::vector<record::ReservationRequest>& requests) {
    bool refused = false;
    for (const auto& answer : answers) refused = refused || std::holds_alternative<Refusal>(answer.answer);
    all_ = all_ && !refused;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (options_.atomic && refused && std::holds_alternative<Granted>(answers[i].answer)) {
        auto refusal = invalid(requests[i], "another request of the batch was refused");
        refusal.constraint = "batch";
        answers[i].answer = refusal;
      }
      sinks_.answer(answers[i]);
    }
  }

  LedgerStore& ledgers_;
  const BatchOptions& options_;
  const BatchSinks& sinks_;
  bool all_ = true;
  std::size_t together_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace

bool claim_stream(LedgerStore& ledgers, const std::shared_ptr<record::Reader>& reader,
                  const BatchOptions& options, const BatchSinks& sinks) {
  const auto state = std::make_shared<State>();
  std::thread([state, reader, pass = sinks.pass, bounded = !options.atomic] {
    read_all(state, reader, pass, bounded);
  }).detach();
  // A thread that still waits for input is left behind; it passes nothing on any more.
  struct Abandon {
    State& state;
    ~Abandon() {
      const std::lock_guard guard(state.mutex);
      state.abandoned = true;
      state.changed.notify_all();
    }
  };
  const Abandon abandon{*state};

  Batch batch(ledgers, options, sinks);
  const std::size_t together = options.atomic ? std::numeric_limits<std::size_t>::max() : kMostTogether;
  bool over = false;
  while (!over && !interrupt::requested()) {
    std::vector<record::ReservationRequest> requests;
    {
      std::unique_lock lock(state->mutex);
      state->changed.wait_for(lock, kLook,
                              [&] { return state->over || (!options.atomic && !state->queue.empty()); });
      if (options.atomic && !state->over) continue;
      while (!state->queue.empty() && requests.size() < together) {
        requests.push_back(std::move(state->queue.front()));
        state->queue.pop_front();
      }
      over = state->over && state->queue.empty();
      state->changed.notify_all();
      if (options.atomic && state->failure) std::rethrow_exception(state->failure);
      if (options.atomic && state->written_by_program && !state->complete) {
        throw Error(Status::kUsage, "read requests", "stdin",
                    "the stream has no end record of outcome ok: its producer died, or it was cut off",
                    "nothing of the batch was granted");
      }
    }
    if (!requests.empty()) batch.carry_out(requests);
  }
  const std::lock_guard guard(state->mutex);
  if (state->failure) std::rethrow_exception(state->failure);
  if (!interrupt::requested() && state->written_by_program && !state->complete) {
    throw Error(Status::kUsage, "read requests", "stdin", "it ended without an end record: its producer died",
                "what had been read was carried out; --atomic carries out all or none");
  }
  return batch.all_granted();
}

}  // namespace rackline::reserve
