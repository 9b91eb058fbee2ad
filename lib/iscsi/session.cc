// SPDX-License-Identifier: Apache-2.0
#include "iscsi/session.h"

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"

namespace rackline::iscsi {
namespace {

// libiscsi has work to do by the clock, such as telling that a login takes too long.
constexpr Milliseconds kTick{100};

// What libiscsi says of a command beside SCSI's own statuses.
bool is_scsi_status(int status) {
  return status >= 0 && status <= 0xff;
}

}  // namespace

void Session::Free::operator()(iscsi_context* context) const {
  iscsi_destroy_context(context);
}

Session::Session(Loop& loop, Login login, Milliseconds patience)
    : loop_(loop),
      login_(std::move(login)),
      patience_(patience),
      context_(iscsi_create_context(login_.initiator.c_str())) {
  if (context_ == nullptr) throw Error(Status::kUnreachable, "open a session", login_.portal, "no memory");
  // A session that came back by itself would have lost its reservations, and its commands their order.
  iscsi_set_noautoreconnect(context_.get(), 1);
  iscsi_set_session_type(context_.get(),
                         login_.target.empty() ? ISCSI_SESSION_DISCOVERY : ISCSI_SESSION_NORMAL);
  if (!login_.target.empty()) iscsi_set_targetname(context_.get(), login_.target.c_str());
  if (const Chap& chap = login_.chap; !chap.user.empty()) {
    iscsi_set_initiator_username_pwd(context_.get(), chap.user.c_str(), chap.password.c_str());
    if (!chap.target_user.empty())
      iscsi_set_target_username_pwd(context_.get(), chap.target_user.c_str(), chap.target_password.c_str());
  }
  loop_.sessions_.push_back(this);
}

Session::~Session() {
  loop_.sessions_.remove(this);
  for (Request& request : requests_) request.answered = [](int, const void*) {};
  context_.reset();
  // Those whose callback libiscsi does not call when a context goes.
  for (Request& request : requests_) {
    if (request.task != nullptr) scsi_free_scsi_task(request.task);
  }
}

std::string Session::error() const {
  const std::string text = iscsi_get_error(context_.get());
  return text.empty() ? "the connection is lost" : text;
}

Session::Request& Session::request(Answered answered) {
  requests_.emplace_back();
  Request& request = requests_.back();
  request.session = this;
  request.deadline = loop_.clock_.monotonic() + patience_;
  request.answered = std::move(answered);
  request.self = std::prev(requests_.end());
  return request;
}

void Session::on_answer(iscsi_context* /*context*/, int status, void* data, void* request) {
  auto& asked = *static_cast<Request*>(request);
  const auto answered = std::move(asked.answered);
  Session& session = *asked.session;
  // Its task outlives it in `answered`, which reads the reply out of it.
  answered(status, data);
  if (asked.task != nullptr) scsi_free_scsi_task(asked.task);
  session.requests_.erase(asked.self);
}

// Called once when the connection stands, and once more when it falls.
void Session::on_connect(iscsi_context* /*context*/, int status, void* /*data*/, void* self) {
  Session& session = *static_cast<Session*>(self);
  if (status != SCSI_STATUS_GOOD || session.connected_) {
    session.lose(session.error());
    return;
  }
  session.connected_ = true;
  Request& login = *session.requests_.begin();
  if (iscsi_login_async(session.context_.get(), on_answer, &login) != 0) session.lose(session.error());
}

void Session::open(std::function<void(const std::string& why)> done) {
  Request& login = request([this, done = std::move(done)](int status, const void*) {
    if (status == SCSI_STATUS_GOOD) {
      later([done] { done({}); });
      return;
    }
    const std::string why = lost() ? why_lost_ : error();
    if (!lost()) why_lost_ = why;
    later([done, why] { done(why); });
  });
  if (iscsi_connect_async(context_.get(), login_.portal.c_str(), on_connect, this) != 0) {
    lose(error());
    on_answer(context_.get(), SCSI_STATUS_ERROR, nullptr, &login);
  }
}

Reply Session::reply_of(const scsi_task& task, int status) const {
  Reply reply;
  if (!is_scsi_status(status)) {
    reply.lost = lost() ? why_lost_ : error();
    return reply;
  }
  if (status == SCSI_STATUS_CHECK_CONDITION) {
    reply.sense =
        Sense{static_cast<std::uint8_t>(task.sense.key), static_cast<std::uint8_t>(task.sense.ascq >> 8),
              static_cast<std::uint8_t>(task.sense.ascq)};
  }
  reply.condition = condition_of(static_cast<std::uint8_t>(status), reply.sense);
  if (task.datain.data != nullptr && task.datain.size > 0)
    reply.data.assign(task.datain.data, task.datain.data + task.datain.size);
  return reply;
}

void Session::submit(std::uint16_t lun, std::vector<std::uint8_t> cdb, int direction, std::size_t bytes,
                     std::vector<std::uint8_t> out, Done done) {
  if (lost()) {
    Reply reply;
    reply.lost = why_lost_;
    later([done = std::move(done), reply = std::move(reply)] { done(reply); });
    return;
  }
  Request& asked = request({});
  asked.out = std::move(out);
  asked.task = scsi_create_task(static_cast<int>(cdb.size()), cdb.data(), direction, static_cast<int>(bytes));
  asked.answered = [this, done = std::move(done), task = asked.task](int status, const void*) {
    later([done, reply = reply_of(*task, status)] { done(reply); });
  };
  iscsi_data data{asked.out.size(), asked.out.data()};
  const bool sent = asked.task != nullptr &&
                    iscsi_scsi_command_async(context_.get(), lun, asked.task, on_answer,
                                             direction == SCSI_XFER_WRITE ? &data : nullptr, &asked) == 0;
  if (!sent) on_answer(context_.get(), SCSI_STATUS_ERROR, nullptr, &asked);
  if (sent) ++commands_;
}

void Session::discover(std::function<void(std::vector<std::string> targets, const std::string& why)> done) {
  Request& asked = request([this, done = std::move(done)](int status, const void* data) {
    std::vector<std::string> targets;
    std::string why;
    if (status != SCSI_STATUS_GOOD) why = lost() ? why_lost_ : error();
    const auto* found =
        status == SCSI_STATUS_GOOD ? static_cast<const iscsi_discovery_address*>(data) : nullptr;
    for (; found != nullptr; found = found->next) targets.emplace_back(found->target_name);
    later([done, targets, why] { done(targets, why); });
  });
  if (lost() || iscsi_discovery_async(context_.get(), on_answer, &asked) != 0)
    on_answer(nullptr, SCSI_STATUS_ERROR, nullptr, &asked);
}

void Session::read(std::uint16_t lun, std::vector<std::uint8_t> cdb, std::size_t bytes, Done done) {
  submit(lun, std::move(cdb), bytes == 0 ? SCSI_XFER_NONE : SCSI_XFER_READ, bytes, {}, std::move(done));
}

void Session::write(std::uint16_t lun, std::vector<std::uint8_t> cdb, std::vector<std::uint8_t> out,
                    Done done) {
  const std::size_t bytes = out.size();
  submit(lun, std::move(cdb), SCSI_XFER_WRITE, bytes, std::move(out), std::move(done));
}

// The rest follows outside of libiscsi's own work, in serve().
void Session::lose(const std::string& why) {
  if (!lost()) why_lost_ = why.empty() ? "the connection is lost" : why;
}

void Session::serve(int events) {
  if (!lost()) {
    if (iscsi_service(context_.get(), events) != 0) lose(error());
    const Milliseconds now = loop_.clock_.monotonic();
    const bool late = std::any_of(requests_.begin(), requests_.end(),
                                  [&](const Request& request) { return request.deadline <= now; });
    if (late) lose("no answer within " + std::to_string(patience_.count()) + " ms");
  }
  // Nothing of it will be answered any more. libiscsi says so of most, when its context goes, and not of a
  // connect that hangs.
  if (lost() && context_ != nullptr) {
    context_.reset();
    while (!requests_.empty()) on_answer(nullptr, SCSI_STATUS_ERROR, nullptr, &requests_.front());
  }
}

void Loop::turn() {
  std::vector<pollfd> files{{interrupt::fd(), POLLIN, 0}};
  std::vector<Session*> served;
  for (Session* session : sessions_) {
    served.push_back(session);
    const int events = session->lost() ? 0 : iscsi_which_events(session->context_.get());
    files.push_back(
        {events == 0 ? -1 : iscsi_get_fd(session->context_.get()), static_cast<short>(events), 0});
  }
  const bool due = std::any_of(served.begin(), served.end(), [](const Session* session) {
    return !session->calls_.empty() || (session->lost() && session->context_ != nullptr);
  });
  if (poll(files.data(), files.size(), due ? 0 : static_cast<int>(kTick.count())) < 0 && errno != EINTR)
    throw system_error(Status::kUnreachable, "wait for", "the arrays");
  for (std::size_t i = 0; i < served.size(); ++i) served[i]->serve(files[i + 1].revents);
  // A callback may end its own session, and others.
  for (Session* session : served) {
    if (std::find(sessions_.begin(), sessions_.end(), session) == sessions_.end()) continue;
    const auto calls = std::exchange(session->calls_, {});
    for (const auto& call : calls) call();
  }
}

bool Loop::run(const std::function<bool()>& over) {
  while (!over()) {
    if (interrupt::requested()) return false;
    turn();
  }
  return true;
}

}  // namespace rackline::iscsi
