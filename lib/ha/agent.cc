// SPDX-License-Identifier: Apache-2.0
#include "ha/agent.h"

#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/id.h"
#include "base/interrupt.h"
#include "base/units.h"
#include "ha/slot.h"

namespace rackline::ha {
namespace {

constexpr int kBuffer = 1 << 20;
constexpr Milliseconds kErrand{800};
constexpr Milliseconds kPingAgain{250};
constexpr std::size_t kErrands = 64;
constexpr Milliseconds kUnheard{10'000};  // a watcher that was only started again needs less
constexpr Milliseconds kDestroy{3000};    // twice this is less than the watchdog's patience

AgentOptions complete(AgentOptions options) {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  if (options.host.empty()) options.host = name;
  return options;
}

net::Endpoint anywhere(const std::vector<net::Endpoint>& watchers) {
  const bool v6 = !watchers.empty() && watchers.front().address.ss_family == AF_INET6;
  return net::resolve(v6 ? "[::]:0" : "0.0.0.0:0", 0);
}

// With one channel only there is no telling a cut network from a dead watcher.
bool fences_itself(const AgentOptions& options) {
  return options.self_fence > Milliseconds{0} && !options.watchers.empty() && !options.slots.empty();
}

// What others may count upon: never more than guard() does.
std::uint32_t promised_ms(const AgentOptions& options) {
  return fences_itself(options) ? static_cast<std::uint32_t>(options.self_fence.count()) : 0;
}

}  // namespace

std::uint64_t random_number() {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number)
    throw system_error(Status::kUnreachable, "draw a random number", "getrandom");
  return number;
}

// What the threads tell the loop and it them. A thread that hangs in the kernel keeps its share.
struct Agent::Vitals {
  std::atomic<Milliseconds::rep> written{-1};  // when the last beat on the storage was complete
  // When that one was begun: it may have been there, for others to read, from then on.
  std::atomic<Milliseconds::rep> shown{-1};
  std::atomic<Milliseconds::rep> answered{-1};  // when libvirtd answered last
  std::atomic<Milliseconds::rep> acked{-1};     // when the last beat was sent that a watcher has heard
  // Read from /proc, which may wait for a busy process: too slow for the loop that has to be in time.
  std::atomic<std::uint16_t> qemus{0};
  std::atomic<bool> leaving{false}, left{false};
  std::mutex mutex;
  std::string storage_error;  // why the last beat on the storage was none; empty: it was one
};

Agent::Agent(AgentOptions options, const Clock& clock, Hooks hooks)
    : options_(complete(std::move(options))),
      clock_(clock),
      hooks_(std::move(hooks)),
      signer_(options_.key, options_.cluster),
      socket_(options_.listen.value_or(anywhere(options_.watchers)), kBuffer),
      vitals_(std::make_shared<Vitals>()),
      incarnation_(random_number()),
      started_(clock.monotonic()),
      woken_(started_) {
  for (const auto& watcher : options_.watchers) links_.push_back({watcher, 0, std::nullopt});
  constexpr int kBite = 10;
  if (!options_.watchdog.empty()) watchdog_.emplace(options_.watchdog, kBite);

  std::thread([vitals = vitals_, target = virt::Target{options_.host, options_.uri}, &clock,
               every = options_.interval, run = options_.qemu_run_directory,
               patience = options_.libvirt_deadline] {
    virt::HostWorker worker(target, {});
    while (!vitals->leaving) {
      vitals->qemus =
          static_cast<std::uint16_t>(std::min<std::size_t>(qemu_processes(run).size(), UINT16_MAX));
      try {
        worker.run([](virt::Connection& connection) { connection.probe(); }, patience);
        vitals->answered = clock.monotonic().count();
      } catch (const Error&) {
        // The time of the last answer says it all.
      }
      std::this_thread::sleep_for(every);
    }
  }).detach();

  if (options_.slots.empty()) return;
  std::thread([vitals = vitals_, &clock, options = options_, incarnation = incarnation_] {
    Signer signer(options.key, options.cluster);
    SlotWriter writer(options.slots, options.host);
    MessageBytes bytes;
    Message message;
    message.type = Message::Type::kSlot;
    message.incarnation = incarnation;
    message.name = options.host;
    message.self_fence_ms = promised_ms(options);
    while (!vitals->left) {
      message.leaving = vitals->leaving;
      ++message.seq;
      const auto acked = vitals->acked.load();
      message.ack_age_ms =
          acked < 0 ? UINT32_MAX : static_cast<std::uint32_t>(clock.monotonic().count() - acked);
      const auto begun = clock.monotonic().count();
      std::string failure;
      try {
        writer.write({bytes.data(), signer.encode(message, bytes)});
        vitals->written = clock.monotonic().count();
        vitals->shown = begun;
      } catch (const Error& error) {
        failure = error.what();  // for a person; an old time is all that the others have to know
      }
      {
        const std::lock_guard lock(vitals->mutex);
        vitals->storage_error = std::move(failure);
      }
      if (message.leaving)
        vitals->left = true;
      else
        std::this_thread::sleep_for(options.interval);
    }
  }).detach();
}

Agent::~Agent() = default;

void Agent::send(const net::Endpoint& to, Message message) {
  message.incarnation = incarnation_;
  MessageBytes bytes;
  socket_.send(to, {bytes.data(), signer_.encode(message, bytes)});
}

void Agent::beat_to(Link& link, bool leaving) {
  Message message;
  message.type = Message::Type::kBeat;
  message.leaving = leaving;
  message.seq = seq_;
  message.nonce = link.nonce;
  message.name = options_.host;
  const auto age = [&](const std::atomic<Milliseconds::rep>& time) {
    return now() - Milliseconds{time.load()};
  };
  // When it begins, libvirtd has its time to answer as well.
  message.libvirt_ok = vitals_->answered >= 0 ? age(vitals_->answered) < options_.libvirt_deadline
                                              : now() - started_ < options_.libvirt_deadline;
  message.storage_ok = vitals_->written >= 0 ? age(vitals_->written) < options_.storage_deadline
                                             : now() - started_ < options_.storage_deadline;
  message.watchdog = watchdog_.has_value();
  message.self_fence_ms = promised_ms(options_);
  message.vms = vitals_->qemus;
  if (link.acked) message.ack_age_ms = static_cast<std::uint32_t>((now() - *link.acked).count());
  send(link.watcher, message);
}

std::uint64_t Agent::next_beat() {
  ++seq_;
  sent_[seq_ % sent_.size()] = now();
  return seq_;
}

void Agent::beat(bool leaving) {
  next_beat();
  for (Link& link : links_) beat_to(link, leaving);
}

void Agent::hear_ack(const Message& ack, const net::Endpoint& from) {
  const auto link =
      std::find_if(links_.begin(), links_.end(), [&](const Link& l) { return l.watcher == from; });
  if (link == links_.end() || ack.name != options_.host || ack.echo > seq_ || ack.echo + kRecent < seq_)
    return;
  const bool strange = link->nonce != ack.nonce;
  link->nonce = ack.nonce;
  // Only a watcher that knows this run of the agent can count it among the living.
  if (ack.seq == incarnation_) {
    // From when the watcher may have heard it, and not from when that became known: the watcher counts the
    // silence from then, however long its answer was on the way or lay unread.
    link->acked = sent_[ack.echo % sent_.size()];
    vitals_->acked = std::max(vitals_->acked.load(), link->acked->count());
    if (ack.fenced)
      fenced_ = true;
    else
      fenced_ = self_fenced_ = false;
  }
  if (!strange) return;
  next_beat();
  beat_to(*link, false);
}

void Agent::begin_errand(const Message& ask, const net::Endpoint& asker) {
  if (errands_.size() >= kErrands) return;
  const bool known =
      std::any_of(links_.begin(), links_.end(), [&](const Link& l) { return l.watcher == asker; });
  if (!known) return;
  try {
    Errand errand;
    errand.asker = asker;
    errand.target = net::resolve(ask.target, 0);
    errand.name = ask.name;
    errand.ask = ask.seq;
    errand.nonce = ask.nonce;
    errand.ping = random_number();
    errand.next = now();
    errand.until = now() + kErrand;
    errands_.push_back(std::move(errand));
  } catch (const Error& error) {
    hooks_.warn(error.what());
  }
}

void Agent::hear(std::span<const std::uint8_t> bytes, const net::Endpoint& from) {
  Message message;
  if (signer_.decode(bytes, message) != Reject::kNone) return;
  switch (message.type) {
    case Message::Type::kAck:
      return hear_ack(message, from);
    case Message::Type::kPing: {
      if (message.name != options_.host) return;
      Message pong;
      pong.type = Message::Type::kPong;
      pong.echo = message.seq;
      pong.name = options_.host;
      return send(from, pong);
    }
    case Message::Type::kPong: {
      const auto errand = std::find_if(errands_.begin(), errands_.end(), [&](const Errand& e) {
        return e.ping == message.echo && e.name == message.name;
      });
      if (errand == errands_.end()) return;
      Message told;
      told.type = Message::Type::kTold;
      told.reached = true;
      told.name = errand->name;
      told.echo = errand->ask;
      told.nonce = errand->nonce;
      send(errand->asker, told);
      errands_.erase(errand);
      return;
    }
    case Message::Type::kAsk:
      return begin_errand(message, from);
    default:
      return;
  }
}

void Agent::run_errands() {
  for (auto errand = errands_.begin(); errand != errands_.end();) {
    Message message;
    message.name = errand->name;
    if (now() >= errand->until) {
      message.type = Message::Type::kTold;
      message.echo = errand->ask;
      message.nonce = errand->nonce;
      send(errand->asker, message);
      errand = errands_.erase(errand);
      continue;
    }
    if (now() >= errand->next) {
      message.type = Message::Type::kPing;
      message.seq = errand->ping;
      send(errand->target, message);
      errand->next = now() + kPingAgain;
    }
    ++errand;
  }
}

// For how long neither a watcher was heard nor the storage took a beat.
Milliseconds Agent::cut_off() const {
  // After a standstill it has a few beats to find its watchers again, and not the whole time once more.
  const Milliseconds floor = std::max(started_, woken_ - options_.self_fence + 3 * options_.interval);
  const auto since = [&](const std::atomic<Milliseconds::rep>& time) {
    return now() - std::max(Milliseconds{time.load()}, floor);
  };
  return std::min(since(vitals_->acked), since(vitals_->shown));
}

Milliseconds Agent::last_contact() const {
  return std::max({started_, Milliseconds{vitals_->acked}, Milliseconds{vitals_->shown}});
}

void Agent::guard() {
  if (fenced_ && !self_fenced_) return stop_everything("a watcher says that this host counts as off");
  if (!fences_itself(options_)) return;
  const Milliseconds lost = cut_off();
  if (lost < options_.self_fence) {
    if (!fenced_) self_fenced_ = false;
    return;
  }
  if (!self_fenced_) stop_everything("no watcher and no storage for " + format_duration(lost));
}

// Each change once: a channel that does not work is of no use, and costs the virtual servers when the other
// one goes too.
void Agent::tell_trouble() {
  std::string storage;
  {
    const std::lock_guard lock(vitals_->mutex);
    storage = vitals_->storage_error;
  }
  if (storage != told_storage_) {
    hooks_.warn(storage.empty() ? "the storage takes heartbeats again" : storage);
    told_storage_ = storage;
  }
  if (links_.empty()) return;
  const Milliseconds unheard = now() - std::max({Milliseconds{vitals_->acked.load()}, started_, woken_});
  const bool silence = unheard >= kUnheard;
  if (silence == told_silence_) return;
  told_silence_ = silence;
  std::string watchers;
  for (const Link& link : links_) watchers += (watchers.empty() ? "" : ", ") + link.watcher.text();
  hooks_.warn(silence ? "no watcher has answered for " + format_duration(unheard) + " (" + watchers +
                            "): none runs there, or it has another key or --cluster"
                      : "a watcher answers again");
}

void Agent::stop_everything(const std::string& reason) {
  const Milliseconds began = now();
  // A connection of its own: the one that asks for libvirtd's health belongs to another thread, and may hang.
  virt::HostWorker libvirt({options_.host, options_.uri}, {});
  const SelfFenced done = self_fence(libvirt, options_.qemu_run_directory, kDestroy);
  self_fenced_ = done.left.empty();
  if (!done.left.empty() && watchdog_) watchdog_->let_it_bite();
  record::HostSelfFenced record;
  record.id = random_id();
  record.host = options_.host;
  record.reason = reason;
  record.complete = done.left.empty();
  record.stopped = done.stopped;
  record.killed = done.killed;
  record.left = done.left;
  record.elapsed_ms = (now() - began).count();
  hooks_.warn("stopped the virtual servers: " + reason);
  hooks_.self_fenced(record);
}

void Agent::run() {
  Milliseconds next = now();
  Milliseconds last = now();
  while (!interrupt::requested()) {
    // Once in one silence: a host that has hardly any CPU left stands still again and again, and would never
    // have waited long enough.
    if (now() - last > 2 * options_.interval && last_contact() >= woken_) woken_ = now();
    last = now();
    socket_.receive(1024, [this](auto bytes, const auto& from) { hear(bytes, from); });
    run_errands();
    if (now() >= next) {
      beat(false);
      guard();
      tell_trouble();
      if (watchdog_) watchdog_->feed();
      hooks_.turn();
      // Not on the grid after a standstill: nobody wants the beats of the past.
      next = std::max(next + options_.interval, now());
    }
    const Milliseconds until = errands_.empty() ? next : std::min(next, now() + Milliseconds{50});
    pollfd watched[] = {{socket_.fd(), POLLIN, 0}, {interrupt::fd(), POLLIN, 0}};
    poll(watched, 2, static_cast<int>(std::max((until - now()).count(), Milliseconds::rep{0})));
  }
  vitals_->leaving = true;
  constexpr int kFarewells = 3;  // one may get lost
  for (int i = 0; i < kFarewells; ++i) {
    beat(true);
    std::this_thread::sleep_for(Milliseconds{30});
    socket_.receive(64, [](auto, const auto&) {});
  }
  const Milliseconds until = now() + std::min(options_.interval + Milliseconds{500}, Milliseconds{1500});
  while (!options_.slots.empty() && !vitals_->left && now() < until)
    std::this_thread::sleep_for(Milliseconds{20});
}

}  // namespace rackline::ha
