// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/agent.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/id.h"
#include "base/interrupt.h"
#include "base/joined.h"
#include "base/units.h"
#include "heartbeat/fence_mark_file.h"
#include "heartbeat/slot.h"

namespace rackline::heartbeat {
namespace {

constexpr int kBuffer = 1 << 20;
constexpr Milliseconds kLongestErrand{800};
constexpr std::size_t kChallenges = 8;    // of the storage, in a slot
constexpr Milliseconds kUnheard{10'000};  // a watcher that was only started again needs less
constexpr Milliseconds kSettle{3000};     // for an agent that was started again to find its watchers
constexpr Milliseconds kDestroy{3000};    // twice this is less than the watchdog's patience

// How long another host is asked for whether it answers. The watcher waits for the answer no longer than a
// third of the time to a death, which is three beats, or a second at the least.
Milliseconds errand_time(Milliseconds interval) {
  return std::clamp(interval * 4 / 5, Milliseconds{200}, kLongestErrand);
}

AgentOptions complete(AgentOptions options) {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  if (options.host.empty()) options.host = name;
  if (options.slot_interval == Milliseconds{0}) options.slot_interval = options.interval;
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

// What others may count upon: never more than guard() does. An agent to which its peers are contact promises
// nothing; see Agent::cut_off().
std::uint32_t promised_ms(const AgentOptions& options) {
  if (!fences_itself(options) || !options.fenced_by_self) return 0;  // @rule 03-promise
  return static_cast<std::uint32_t>(options.self_fence.count());
}

}  // namespace

// Contact that is lost for a moment, and a standstill after which three beats find the watchers again, must
// not cost the VMs. That it is well below the takeover time is for `fence` to see, which knows
// both.
std::string self_fence_time_objection(const AgentOptions& options) {
  const Milliseconds slowest = std::max(options.interval, options.slot_interval);
  if (!fences_itself(options) || options.self_fence > 3 * slowest) return {};
  return "expected more than three intervals, which are " + format_duration(3 * slowest);
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
  std::atomic<std::uint64_t> incarnation{0};
  std::atomic<std::uint64_t> seq{0};        // of the last beat over the network
  std::atomic<std::uint64_t> slot_seq{0};   // of the last beat on the storage
  std::atomic<std::uint64_t> overtaken{0};  // the same when a watcher last said that this host is not fenced
  std::atomic<bool> marked{false};          // a mark on the storage says that it is
  std::mutex mutex;
  std::vector<std::uint64_t> nonces;  // of the watchers that are heard
  std::string mark_trouble;           // what is wrong with a mark that does not count
  std::string storage_error;          // why the last beat on the storage was none; empty: it was one
};

// Whether a watcher has left word on the storage that this host counts as fenced. Storage that cannot be read
// says nothing: it is told by the beats that are not written.
void Agent::look_at_mark(Vitals& vitals, const AgentOptions& options, OwnFenceMark& mark,
                         const Message& beat) {
  std::string trouble;
  bool marked = vitals.marked;
  try {
    marked = mark.says_fenced(read_fence_mark(options.slots, options.host), beat.incarnation, beat.seq,
                              vitals.overtaken);
    trouble = mark.trouble();
  } catch (const Error& error) {
    if (error.status() == Status::kRefused) trouble = error.what();
  }
  vitals.marked = marked;
  const std::lock_guard lock(vitals.mutex);
  vitals.mark_trouble = std::move(trouble);
}

Agent::Agent(AgentOptions options, const Clock& clock, Hooks hooks)
    : options_(complete(std::move(options))),
      clock_(clock),
      hooks_(std::move(hooks)),
      keys_(options_.key, options_.host, options_.cluster),
      socket_(options_.listen.value_or(anywhere(options_.watchers)), kBuffer),
      peers_(options_.host, keys_, errand_time(options_.interval),
             {.send = [this](const auto& to, auto bytes) { socket_.send(to, bytes); }, .warn = hooks_.warn}),
      complaints_(hooks_.warn),
      vitals_(std::make_shared<Vitals>()),
      incarnation_(random_number()),
      started_(clock.monotonic()),
      woken_(started_) {
  vitals_->incarnation = incarnation_;
  resume();
  for (const auto& watcher : options_.watchers) links_.push_back({watcher, 0, std::nullopt});
  constexpr int kBite = 10;
  if (!options_.watchdog.empty()) watchdog_.emplace(options_.watchdog, kBite);

  // A signer is for one thread.
  auto keys = std::make_shared<AgentKeys>(options_.key, options_.host, options_.cluster);
  wipe(options_.key);  // before the options are copied
  std::thread([vitals = vitals_, options = options_, &clock] {
    ask_libvirt(*vitals, options, clock);
  }).detach();
  if (keys_.shared()) {
    hooks_.warn("the key, " + keys_.ids() +
                ", is one that all hosts share, or the master key: give this host " +
                "its own, by heartbeat key --host " + options_.host + " beside the watcher");
  }
  if (options_.slots.empty()) return;
  std::thread([vitals = vitals_, options = options_, keys, &clock] {
    keep_slot(*vitals, options, *keys, clock);
  }).detach();
}

// libvirtd hangs on a storage that hangs: it is asked on a thread of its own.
void Agent::ask_libvirt(Vitals& vitals, const AgentOptions& options, const Clock& clock) {
  virt::HostWorker worker(virt::Target{options.host, options.uri}, {});
  while (!vitals.leaving) {
    vitals.qemus = static_cast<std::uint16_t>(
        std::min<std::size_t>(qemu_processes(options.qemu_run_directory).size(), UINT16_MAX));
    try {
      worker.run([](virt::Connection& connection) { connection.probe(); }, options.libvirt_deadline);
      vitals.answered = clock.monotonic().count();
    } catch (const Error&) {
      // The time of the last answer says it all.
    }
    std::this_thread::sleep_for(options.interval);
  }
}

// So does a write to it.
void Agent::keep_slot(Vitals& vitals, const AgentOptions& options, AgentKeys& keys, const Clock& clock) {
  SlotWriter writer(options.slots, options.host);
  OwnFenceMark mark(options.host, options.cluster, keys.secrets());
  Message message;
  std::vector<std::uint64_t> nonces;
  message.type = Message::Type::kSlot;
  message.name = options.host;
  message.self_fence_ms = promised_ms(options);
  while (!vitals.left) {
    message.leaving = vitals.leaving;
    message.incarnation = vitals.incarnation;
    message.echo = vitals.seq;
    vitals.slot_seq = ++message.seq;
    {
      const std::lock_guard lock(vitals.mutex);
      nonces = vitals.nonces;
    }
    try {
      for (const auto nonce : read_challenges(options.slots, kChallenges)) nonces.push_back(nonce);
    } catch (const Error&) {
      // What is wrong with the directory, writing will tell.
    }
    message.target = nonces_text(nonces, keys.slot_room(options.host));
    const auto acked = vitals.acked.load();
    message.ack_age_ms =
        acked < 0 ? UINT32_MAX : static_cast<std::uint32_t>(clock.monotonic().count() - acked);
    const auto begun = clock.monotonic().count();
    std::string failure;
    try {
      writer.write(keys.slot(message));
      vitals.written = clock.monotonic().count();
      vitals.shown = begun;
    } catch (const Error& error) {
      failure = error.what();  // for a person; an old time is all that the others have to know
    }
    {
      const std::lock_guard lock(vitals.mutex);
      vitals.storage_error = std::move(failure);
    }
    look_at_mark(vitals, options, mark, message);
    if (message.leaving)
      vitals.left = true;
    else
      std::this_thread::sleep_for(options.slot_interval);
  }
}

Agent::~Agent() = default;

// A new process on a host that has been cut off for long has a moment to find its watchers, and not the whole
// time once more.
void Agent::resume() {
  if (options_.run_directory.empty()) return;
  contact_.emplace(options_.run_directory, options_.host);
  const auto contact = contact_->read(started_);
  if (!contact) return;
  const Milliseconds settle = std::min(std::max(3 * options_.interval, kSettle), options_.self_fence);
  resumed_ = std::max(*contact, started_ - options_.self_fence + settle);
}

void Agent::beat_to(Link& link, Signer& signer, bool leaving) {
  Message message;
  message.type = Message::Type::kBeat;
  message.incarnation = incarnation_;
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
  MessageBytes bytes;
  socket_.send(link.watcher, {bytes.data(), signer.encode(message, bytes)});
}

std::uint64_t Agent::next_beat() {
  ++seq_;
  sent_[seq_ % sent_.size()] = now();
  vitals_->seq = seq_;
  return seq_;
}

// Each with a number of its own: to a watcher that knows both keys they are two beats.
void Agent::beat(bool leaving) {
  for (Signer& signer : keys_.signers()) {
    next_beat();
    for (Link& link : links_) beat_to(link, signer, leaving);
  }
}

void Agent::hear_ack(const Message& ack, Signer& by, const net::Endpoint& from) {
  const auto link =
      std::find_if(links_.begin(), links_.end(), [&](const Link& l) { return l.watcher == from; });
  if (link == links_.end() || ack.name != options_.host || ack.echo > seq_ || ack.echo + kRecent < seq_)
    return;
  const bool strange = link->nonce != ack.nonce;
  link->nonce = ack.nonce;
  if (strange) tell_nonces();
  peers_.learn(ack, by);
  if (ack.seq == incarnation_ && ack.replaced) {
    // The younger one is silent by now, and this one lives: only a process that answers can say so.
    hooks_.warn("another agent has used the name " + options_.host +
                ", and is silent: this one speaks again");
    vitals_->incarnation = incarnation_ = random_number();
    next_beat();
    return beat_to(*link, by, false);
  }
  // Only a watcher that knows this run of the agent can count it among the living.
  if (ack.seq == incarnation_) {
    // From when the watcher may have heard it, and not from when that became known: the watcher counts the
    // silence from then, however long its answer was on the way or lay unread.
    link->acked = sent_[ack.echo % sent_.size()];
    vitals_->acked = std::max(vitals_->acked.load(), link->acked->count());
    if (ack.fenced) {
      fenced_ = true;
    } else {
      fenced_ = self_fenced_ = false;
      vitals_->overtaken = vitals_->slot_seq.load();
      vitals_->marked = false;
    }
  }
  if (!strange) return;
  next_beat();
  beat_to(*link, by, false);
}

void Agent::tell_nonces() {
  const std::lock_guard lock(vitals_->mutex);
  vitals_->nonces.clear();
  for (const Link& link : links_) {
    if (link.nonce != 0) vitals_->nonces.push_back(link.nonce);
  }
}

// Only when nobody else is there: in a cluster that is well this costs nothing.
void Agent::ask_neighbours() {
  if (options_.fenced_by_self || !fences_itself(options_) || !peers_.known()) return;
  const auto since = std::max({Milliseconds{vitals_->acked}, Milliseconds{vitals_->shown}, started_});
  if (now() - since < options_.self_fence / 3) return;
  peers_.ask_some(now());
}

// What is signed with the key of this host comes from a watcher: nobody else has that key. A watcher's
// question brings the nonce that it told in its acks, so an old one is of no use.
void Agent::hear(std::span<const std::uint8_t> bytes, const net::Endpoint& from) {
  Message message;
  if (read_unproven(bytes, cluster_tag(options_.cluster), message) != Reject::kNone) return;
  using Type = Message::Type;
  if (message.type == Type::kPing || message.type == Type::kPong || message.type == Type::kWitness) {
    if (!peers_.hear(bytes, message, from))
      complaints_.add("messages of another host that are not signed with the key of the two", from);
    return;
  }
  Signer* const by = keys_.signer_of(bytes, message);
  if (by == nullptr) {
    const std::string key = message.key_id == 0 ? "a shared key" : key_id_text(message.key_id);
    return complaints_.add(
        "messages that are not signed with the key of this host, " + keys_.ids() + ", and not believed", from,
        "with " + key);
  }
  if (message.type == Type::kAck) return hear_ack(message, *by, from);
  const auto link =
      std::find_if(links_.begin(), links_.end(), [&](const Link& l) { return l.watcher == from; });
  if (message.type == Type::kAsk && link != links_.end() && link->nonce == message.nonce)
    peers_.begin(message, *by, from, now());
}

// For how long neither a watcher was heard, nor the storage took a beat, nor more than half of the cluster
// answered.
//
// Why its peers may count, and the takeover stays sound. Servers of this host are started elsewhere only
// after `fence` has proven it to be off, in one of two ways:
//   - Power is cut and read back. The proof is the reading; what this agent does meanwhile is of no account.
//   - Method `self`: nothing is read, and the proof is time alone. The host was silent for its self-fence
//   time
//     and a margin, so it must have stopped its servers. That needs an agent which stops them whenever the
//     watcher does not hear it, whomever else it hears. Such an agent (fenced_by_self) asks no peers, so
//     majority_heard() has no value for it, and it alone promises a time in its beats (promised_ms). An agent
//     to which peers are contact promises none, and `fence` refuses `self` for it.
// The watcher takes the promise from the last beat over the network that brought its nonce. So the agent knew
// that nonce and puts it into each slot: a slot that the agent counts as shown is one that this watcher
// believes. Time goes the same way as for the watcher: an answer counts from when its question was sent.
// Of two halves of a cluster at most one has more than half of its hosts; the other one stops its servers.
// A host in foreign hands can make itself heard, and no other one (ticket.h). So the hosts that lie may tip
// the scales where there are as many of them as are missing; the proof of the takeover does not rest on that.
Milliseconds Agent::cut_off() const {
  // After a standstill it has a few beats to find its watchers again, and not the whole time once more.
  const Milliseconds floor =
      std::max(resumed_.value_or(started_), woken_ - options_.self_fence + 3 * options_.interval);
  const auto since = [&](const std::atomic<Milliseconds::rep>& time) {
    return now() - std::max(Milliseconds{time.load()}, floor);
  };
  const Milliseconds lost = std::min(since(vitals_->acked), since(vitals_->shown));
  // @rule 23-peers-count: {}
  const auto heard = options_.fenced_by_self ? std::nullopt : peers_.majority_heard();
  return heard ? std::min(lost, now() - std::max(*heard, floor)) : lost;
}

Milliseconds Agent::last_contact() const {
  return std::max({started_, Milliseconds{vitals_->acked}, Milliseconds{vitals_->shown}});
}

void Agent::guard() {
  if (contact_) contact_->write(now() - std::max(cut_off(), Milliseconds{0}));
  if (fenced_ && !self_fenced_) return stop_everything("a watcher says that this host counts as off");
  if (vitals_->marked && !self_fenced_)  // @rule 21-mark-on-the-storage
    return stop_everything("the mark on the storage says that this host counts as off");
  if (!fences_itself(options_)) return;
  const Milliseconds lost = cut_off();
  if (lost < options_.self_fence) {
    if (!fenced_ && !vitals_->marked) self_fenced_ = false;
    return;
  }
  if (!self_fenced_)  // @rule 03-agent-stops-its-servers
    stop_everything("no watcher, no storage" +
                    std::string(options_.fenced_by_self ? "" : " and less than half of the hosts") + " for " +
                    format_duration(lost));
}

// Each change once: a channel that does not work is of no use, and costs the VMs when the other
// one goes too.
void Agent::tell_trouble() {
  std::string storage;
  std::string mark;
  {
    const std::lock_guard lock(vitals_->mutex);
    storage = vitals_->storage_error;
    mark = vitals_->mark_trouble;
  }
  if (mark != told_mark_ && !mark.empty()) hooks_.warn(mark);
  told_mark_ = mark;
  if (storage != told_storage_) {
    hooks_.warn(storage.empty() ? "the storage takes heartbeats again" : storage);
    told_storage_ = storage;
  }
  if (links_.empty()) return;
  const Milliseconds unheard = now() - std::max({Milliseconds{vitals_->acked.load()}, started_, woken_});
  const bool silence = unheard >= kUnheard;
  if (silence == told_silence_) return;
  told_silence_ = silence;
  std::vector<std::string> watchers;
  for (const Link& link : links_) watchers.push_back(link.watcher.text());
  hooks_.warn(silence ? "no watcher has answered for " + format_duration(unheard) + " (" + joined(watchers) +
                            "): none runs there, or it has another key than this one, " + keys_.ids() +
                            ", or another --cluster"
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
    peers_.run(now());
    if (now() >= next) {
      beat(false);
      ask_neighbours();
      guard();
      tell_trouble();
      complaints_.tell(now());
      if (watchdog_) watchdog_->feed();
      hooks_.turn();
      // Not on the grid after a standstill: nobody wants the beats of the past.
      next = std::max(next + options_.interval, now());
    }
    const Milliseconds until = !peers_.busy() ? next : std::min(next, now() + Milliseconds{50});
    pollfd watched[] = {{socket_.fd(), POLLIN, 0}, {interrupt::fd(), POLLIN, 0}};
    poll(watched, 2, static_cast<int>(std::max((until - now()).count(), Milliseconds::rep{0})));
  }
  vitals_->leaving = true;
  // Stopped in order, it was not cut off.
  if (contact_ && cut_off() < options_.self_fence / 3) contact_->remove();
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

}  // namespace rackline::heartbeat
