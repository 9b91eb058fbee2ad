// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "iscsi/reply.h"

struct iscsi_context;
struct scsi_task;

namespace rackline::iscsi {

class Session;

// Serves many sessions on the thread that runs it.
class Loop {
 public:
  explicit Loop(const Clock& clock) : clock_(clock) {}
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Until `over` says so, which is asked after each turn. False when a stop was asked for (interrupt.h).
  bool run(const std::function<bool()>& over);

 private:
  friend class Session;
  void turn();

  const Clock& clock_;
  std::list<Session*> sessions_;
};

// Who says that he is somebody, and what the target has to know in turn; empty: nothing is asked for.
struct Chap {
  std::string user, password, target_user, target_password;
};

struct Login {
  std::string portal;     // "10.76.0.31:3260"
  std::string target;     // an IQN; empty: a discovery session
  std::string initiator;  // the IQN under which we come
  Chap chap;
};

struct Reply {
  Condition condition = Condition::kOther;
  std::optional<Sense> sense;
  std::vector<std::uint8_t> data;
  std::string lost;  // why there was no answer at all; empty: there was one
};

// One login. It ends for good when its connection does, when the target sends what is no iSCSI, or when a
// single answer is `patience` late: then all that was asked gets a reply that says why. Callbacks come from
// Loop::run, never from within the calls here, and may destroy the session.
class Session {
 public:
  Session(Loop& loop, Login login, Milliseconds patience);
  // What is in flight ends without an answer.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // `done` gets why it failed; empty: it is logged in. Once, and before all else.
  void open(std::function<void(const std::string& why)> done);

  // A command of which at most `bytes` are read, or to which `out` is written; one of the two.
  using Done = std::function<void(Reply)>;
  void read(std::uint16_t lun, std::vector<std::uint8_t> cdb, std::size_t bytes, Done done);
  void write(std::uint16_t lun, std::vector<std::uint8_t> cdb, std::vector<std::uint8_t> out, Done done);

  // The targets behind the portal, for a discovery session.
  void discover(std::function<void(std::vector<std::string> targets, const std::string& why)> done);

  bool lost() const { return !why_lost_.empty(); }
  std::int64_t commands() const { return commands_; }  // that were sent

 private:
  friend class Loop;
  // By libiscsi, within its own work.
  using Answered = std::function<void(int status, const void* data)>;
  struct Request {
    Session* session = nullptr;
    scsi_task* task = nullptr;
    Milliseconds deadline{0};
    std::vector<std::uint8_t> out;
    Answered answered;
    std::list<Request>::iterator self;
  };
  struct Free {
    void operator()(iscsi_context* context) const;
  };

  Request& request(Answered answered);
  void submit(std::uint16_t lun, std::vector<std::uint8_t> cdb, int direction, std::size_t bytes,
              std::vector<std::uint8_t> out, Done done);
  void later(std::function<void()> call) { calls_.push_back(std::move(call)); }
  void lose(const std::string& why);
  void serve(int events);
  std::string error() const;
  Reply reply_of(const scsi_task& task, int status) const;

  static void on_connect(iscsi_context* context, int status, void* data, void* request);
  static void on_answer(iscsi_context* context, int status, void* data, void* request);

  Loop& loop_;
  Login login_;
  Milliseconds patience_;
  std::unique_ptr<iscsi_context, Free> context_;
  std::list<Request> requests_;
  std::vector<std::function<void()>> calls_;  // due when libiscsi is not at work
  std::string why_lost_;
  bool connected_ = false;
  std::int64_t commands_ = 0;
};

}  // namespace rackline::iscsi
