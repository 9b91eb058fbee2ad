// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <tuple>

#include "base/error.h"
#include "base/id.h"
#include "base/interrupt.h"
#include "cluster/marks.h"
#include "heartbeat/nonce.h"
#include "heartbeat/slot.h"
#include "net/address.h"
#include "net/tcp.h"

namespace rackline::heartbeat {
namespace {

constexpr int kBuffer = 32 << 20;
constexpr Milliseconds kTolerated{250};  // later than this is late
constexpr Milliseconds kSlowestTick{100};
constexpr Milliseconds kSlowestReading{250};
constexpr Milliseconds kStorageFails{2'000};
constexpr std::size_t kPeersAsked = 3;
constexpr std::size_t kMostWorkers = 512;

using Names = std::set<std::string, std::less<>>;

// What the store says of the hosts.
struct Marks {
  Milliseconds began{0};  // when reading them did
  Names maintenance, fenced;
  std::map<std::string, std::string, std::less<>> off;  // those of the fenced that are not returning; the ids
};

Marks read_marks(store::Store& store, const Clock& clock) {
  Marks marks;
  marks.began = clock.monotonic();
  for (const auto& mark : cluster::maintenance_marks(store)) {
    if (mark.holds(clock.wall())) marks.maintenance.insert(mark.host);
  }
  for (const auto& mark : cluster::fence_marks(store)) {
    marks.fenced.insert(mark.host);
    if (mark.state == cluster::FenceMark::State::kFenced) marks.off.emplace(mark.host, mark.id);
  }
  return marks;
}

// How often hosts are judged, and the storage is read: both are part of the time to detection, so with beats
// that come faster they are faster, too. As it comes, at one beat a second, the slowest.
Milliseconds tick_of(Milliseconds interval) {
  return std::clamp(interval / 5, Milliseconds{20}, kSlowestTick);
}
Milliseconds reading_of(Milliseconds interval) {
  return std::clamp(interval / 4, Milliseconds{50}, kSlowestReading);
}

std::vector<std::string> names_of(const std::vector<record::Host>& hosts) {
  std::vector<std::string> names;
  for (const auto& host : hosts) names.push_back(host.host);
  return names;
}

LibvirtAnswer answer_of(const std::exception_ptr& failure) {
  if (!failure) return LibvirtAnswer::kAnswers;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    // libvirt has one code for all of these; its text is the kernel's.
    const std::string why = error.what();
    return why.find("Connection refused") != std::string::npos ? LibvirtAnswer::kRefused
                                                               : LibvirtAnswer::kTimeout;
  }
}

// Whether something takes a connection where the URI says that libvirtd listens. A machine that is off, or
// whose kernel hangs, does not.
bool takes_connections(const std::string& uri, Milliseconds patience) {
  const auto scheme = uri.find("://");
  if (scheme == std::string::npos) return false;
  std::string place = uri.substr(scheme + 3);
  place.resize(std::min(place.find('/'), place.size()));
  place.erase(0, place.find('@') + 1);
  const auto address = net::parse_address(place);
  const std::string transport = uri.substr(0, scheme);
  const char* usual = transport.ends_with("+tcp") ? "16509" : transport.ends_with("+ssh") ? "22" : "16514";
  return address &&
         net::try_tcp(address->host, address->port_or(usual), patience, [](const Fd&) { return true; });
}

}  // namespace

std::string name_of_watcher(const net::Endpoint& listen) {
  char machine[256] = {};
  gethostname(machine, sizeof machine - 1);
  const std::string address = listen.text();
  return "watch-" + hex(fnv1a(std::string(machine) + "/" + address));
}

struct Watcher::Mailbox {
  std::mutex mutex;
  std::vector<std::pair<std::size_t, bool>> connects;
  struct Answer {
    std::size_t host;
    LibvirtAnswer answer;
    Milliseconds asked;
  };
  std::vector<Answer> answers;
  Milliseconds slots_began{0};  // when the reading of `slots` did
  std::vector<std::pair<std::size_t, std::vector<std::uint8_t>>> slots;
  std::vector<std::pair<std::size_t, std::string>> strange_slots;  // and why they cannot be read
  std::optional<Milliseconds> storage_read;  // when the last pass over all slots was complete
  std::optional<std::string> storage_error, marks_error;
  std::optional<Marks> marks;
  std::uint64_t nonce = 0;                 // what the challenge on the storage has to say
  std::optional<std::uint64_t> challenge;  // what it says
  std::optional<std::string> challenge_error;
};

Watcher::Watcher(WatcherOptions options, std::shared_ptr<store::Store> store, const Clock& clock, Hooks hooks)
    : options_(std::move(options)),
      store_(std::move(store)),
      clock_(clock),
      hooks_(std::move(hooks)),
      keys_(options_.key, options_.cluster, names_of(options_.hosts), options_.accept_shared),
      socket_(options_.listen, kBuffer),
      nonce_(random_number()),
      membership_(options_.policy, names_of(options_.hosts), nonce_, clock.monotonic()),
      started_(clock.monotonic()),
      peers_(options_.hosts.size()),
      mailbox_(std::make_shared<Mailbox>()),
      next_second_(clock.monotonic()),
      complaints_(hooks_.warn) {
  wipe(options_.key);
  mailbox_->nonce = nonce_;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const auto contact = options_.last_contacts.find(options_.hosts[i].host);
    if (contact != options_.last_contacts.end()) membership_.set_last_contact(i, contact->second);
  }
  if (!options_.slots.empty()) start_storage_reader();
  if (!options_.slots.empty() && !options_.once && store_ != nullptr)
    fence_marks_.emplace(options_.slots, options_.cluster, keys_.secrets(), names_of(options_.hosts));
  if (store_ != nullptr) start_marks_reader();
}

Watcher::~Watcher() = default;

void Watcher::start_storage_reader() {
  std::thread([mailbox = mailbox_, directory = options_.slots, names = names_of(options_.hosts),
               challenge = name_of_watcher(socket_.local()), &clock = clock_,
               pause = reading_of(options_.policy.detector.interval)] {
    std::uint64_t nonce = 0;
    for (;;) {
      std::vector<std::pair<std::size_t, std::vector<std::uint8_t>>> slots;
      std::vector<std::pair<std::size_t, std::string>> strange;
      std::optional<std::string> failure, unchallenged;
      {
        const std::lock_guard lock(mailbox->mutex);
        nonce = mailbox->nonce;
      }
      const Milliseconds began = clock.monotonic();
      try {
        // Looked at each time: somebody may have taken it away.
        write_challenge(directory, challenge, nonce);
      } catch (const Error& error) {
        unchallenged = error.what();
      }
      try {
        for (std::size_t i = 0; i < names.size(); ++i) {
          try {
            if (auto bytes = read_slot(directory, names[i]); !bytes.empty())
              slots.emplace_back(i, std::move(bytes));
          } catch (const Error& error) {
            // One host's slot says nothing of the others'.
            if (error.status() != Status::kRefused) throw;
            strange.emplace_back(i, error.what());
          }
        }
        // A directory that is not there has no slots either, and is no storage.
        const Fd present(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!present) throw system_error(Status::kUnreachable, "read the heartbeats", directory);
      } catch (const Error& error) {
        failure = error.what();
      }
      {
        const std::lock_guard lock(mailbox->mutex);
        mailbox->slots = std::move(slots);
        mailbox->slots_began = began;
        mailbox->strange_slots = std::move(strange);
        if (!failure) mailbox->storage_read = clock.monotonic();
        mailbox->storage_error = std::move(failure);
        if (!unchallenged) mailbox->challenge = nonce;
        mailbox->challenge_error = std::move(unchallenged);
      }
      std::this_thread::sleep_for(pause);
    }
  }).detach();
}

void Watcher::start_marks_reader() {
  // The first time here: who is not to be declared dead has to be known before anybody is.
  mailbox_->marks = read_marks(*store_, clock_);
  read_mail();
  std::thread([mailbox = mailbox_, store = store_, &clock = clock_] {
    for (;;) {
      std::this_thread::sleep_for(std::chrono::seconds{1});
      try {
        auto marks = read_marks(*store, clock);
        const std::lock_guard lock(mailbox->mutex);
        mailbox->marks = std::move(marks);
        mailbox->marks_error.reset();
      } catch (const Error& error) {
        const std::lock_guard lock(mailbox->mutex);
        mailbox->marks_error = error.what();
      }
    }
  }).detach();
}

// What is refused changes no verdict; but nobody is called dead without a word about it.
void Watcher::read_mail() {
  decltype(mailbox_->answers) answers;
  decltype(mailbox_->connects) connects;
  decltype(mailbox_->slots) slots;
  decltype(mailbox_->strange_slots) strange;
  std::optional<Milliseconds> storage_read;
  std::optional<Marks> marks;
  Milliseconds slots_began{0};
  {
    const std::lock_guard lock(mailbox_->mutex);
    answers.swap(mailbox_->answers);
    connects.swap(mailbox_->connects);
    slots.swap(mailbox_->slots);
    strange.swap(mailbox_->strange_slots);
    slots_began = mailbox_->slots_began;
    storage_read = mailbox_->storage_read;
    marks.swap(mailbox_->marks);
    if (mailbox_->storage_error) complain(*mailbox_->storage_error, {});
    if (mailbox_->marks_error) complain(*mailbox_->marks_error + "; going on with the marks read before", {});
    if (mailbox_->challenge_error && !mailbox_->storage_error)
      complain(*mailbox_->challenge_error +
                   "; a host that is not heard over the network cannot prove here that it lives",
               {});
    if (mailbox_->challenge == nonce_) membership_.challenged(now());
    mailbox_->challenge_error.reset();
    mailbox_->storage_error.reset();
    mailbox_->marks_error.reset();
  }
  for (const auto& [host, does] : connects) membership_.connects(host, does);
  for (const auto& [host, answer, asked] : answers) {
    membership_.libvirt(host, answer, now(), asked);
    Peer& peer = peers_[host];
    // A host whose agent is heard is not asked again; and others may be waiting for their turn.
    if (peer.worker && (membership_.heard(host, now()) || workers_ >= kMostWorkers)) release(peer);
  }
  if (!options_.slots.empty())
    membership_.storage_works(storage_read && now() - *storage_read < kStorageFails, now());
  for (const auto& [host, why] : strange) {
    complain(why, {});
    membership_.slot_unreadable(host, now());
  }
  for (const auto& [host, bytes] : slots) {
    hear_slot(host, bytes, slots_began);
  }
  if (!marks) return;
  membership_.set_maintenance(marks->maintenance);
  membership_.set_fenced(marks->fenced);
  membership_.set_off(marks->off, random_number(), marks->began, now());
  off_ = std::move(marks->off);
}

// What the store says of fenced hosts stands on the storage as well, for agents that nobody reaches. It
// brings what was last read in the host's slot, so that its agent can tell it from one that was put back.
void Watcher::keep_fence_marks() {
  if (!fence_marks_) return;
  std::vector<FenceMarkText> wanted;
  for (const auto& [name, fence] : off_) {
    const auto host = membership_.find(name);
    if (!host) {
      complain("the store has a mark of a fencing of " + name + ", which is not in the inventory", {});
      continue;
    }
    FenceMarkText mark{.host = name, .fence = fence};
    if (const auto seen = membership_.slot_seen(*host)) std::tie(mark.incarnation, mark.seq) = *seen;
    wanted.push_back(std::move(mark));
  }
  fence_marks_->keep(std::move(wanted));
  for (const auto& trouble : fence_marks_->troubles()) complain(trouble, {});
}

void Watcher::fulfil(const Membership::Wish& wish) {
  if (wish.libvirt && !ask_libvirt(wish.host)) membership_.not_asked(wish.host);
  if (wish.peers) ask_peers(wish.host);
  if (wish.connect) ask_kernel(wish.host);
}

// Each question has a thread and a connection of its own, since it cannot be cancelled: with thousands of
// hosts they would be the end of this one. False when there are too many; it is asked again at the next tick.
bool Watcher::ask_libvirt(std::size_t index) {
  Peer& peer = peers_[index];
  if (!peer.worker) {
    if (workers_ >= kMostWorkers) return false;
    const auto& host = options_.hosts[index];
    peer.worker =
        std::make_unique<virt::HostWorker>(virt::Target{host.host, host.uri}, virt::ConnectOptions{});
    ++workers_;
  }
  if (peer.question) peer.question->drop();
  peer.question =
      peer.worker->submit([](virt::Connection& connection) { connection.probe(); },
                          [mailbox = mailbox_, index, asked = now()](const std::exception_ptr& failure) {
                            const std::lock_guard lock(mailbox->mutex);
                            mailbox->answers.push_back({index, answer_of(failure), asked});
                          });
  return true;
}

// A libvirtd that hangs does not make a machine dead, and no agent is there to tell the two apart.
void Watcher::ask_kernel(std::size_t index) {
  try {
    std::thread([mailbox = mailbox_, index, uri = options_.hosts[index].uri,
                 patience = options_.policy.answer] {
      const bool does = takes_connections(uri, patience);
      const std::lock_guard lock(mailbox->mutex);
      mailbox->connects.emplace_back(index, does);
    }).detach();
  } catch (const std::system_error&) {
    // No thread to be had: what was seen before goes on to count.
  }
}

void Watcher::release(Peer& peer) {
  peer.question.reset();
  peer.worker.reset();
  --workers_;
}

void Watcher::ask_peers(std::size_t host) {
  Peer& peer = peers_[host];
  Message ask;
  ask.type = Message::Type::kAsk;
  ask.nonce = nonce_;
  // Not the next one of a row: who could know it before might get the answer of a host that lives, and keep
  // it for when it is dead.
  ask.seq = peer.ask = random_number();
  peer.asked.clear();
  for (const std::size_t helper : membership_.peers_of(host, kPeersAsked)) {
    const auto& voice = keys_.voice_of(helper);
    if (!voice) continue;
    const std::string introduced = keys_.introduce(*voice, host, peer.address.text());
    if (introduced.empty()) continue;
    ask.name = membership_.name(voice->shared ? host : helper);
    ask.target = voice->shared ? peer.address.text() : introduced;
    peer.asked.push_back(helper);
    MessageBytes bytes;
    socket_.send(peers_[helper].address, {bytes.data(), keys_.encode(ask, *voice, bytes)});
  }
}

void Watcher::turn(Milliseconds late) {
  if (late > kTolerated) membership_.was_late(late, now());
  // Everything that is waiting, before anybody is judged.
  // The bound is for a flood that comes faster than it is thrown away.
  constexpr std::size_t kDrain = 64 << 10;
  socket_.receive(kDrain, [this](auto bytes, const auto& from) { hear(bytes, from); });
  read_mail();
  if (membership_.wants_nonce()) {
    nonce_ = random_number();
    membership_.renew(nonce_);
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->nonce = nonce_;
  }
  auto round = membership_.tick(now());
  for (const auto& wish : round.wishes) fulfil(wish);
  if (!begun_ && membership_.settled(now())) {
    begun_ = true;
    for (const auto& transition : membership_.snapshot(now())) hooks_.transition(transition);
  }
  if (round.doubt) hooks_.doubt(*round.doubt);
  for (const auto& transition : round.transitions) hooks_.transition(transition);
  complaints_.tell(now());
  if (now() < next_second_) return;
  next_second_ = now() + std::chrono::seconds{1};
  const auto lagging = keys_.lagging([this](std::size_t host) { return membership_.heard(host, now()); });
  if (begun_ && !lagging.empty()) complain(lagging, {});
  keep_fence_marks();
  if (hooks_.health) hooks_.health(membership_.health(now()));
  reading_ = hooks_.turn();
}

bool Watcher::run() {
  const Milliseconds tick = tick_of(options_.policy.detector.interval);
  Milliseconds next = now();
  while (!interrupt::requested() && reading_) {
    if (now() >= next) {
      const Milliseconds late = now() - next;
      turn(late);
      if (begun_ && options_.once) break;
      next = std::max(next + tick, now());
    }
    pollfd watched[] = {{socket_.fd(), POLLIN, 0}, {interrupt::fd(), POLLIN, 0}};
    poll(watched, 2, static_cast<int>(std::max((next - now()).count(), Milliseconds::rep{0})));
    // In small bites between two ticks: with many hosts there is always something.
    socket_.receive(256, [this](auto bytes, const auto& from) { hear(bytes, from); });
  }
  for (std::size_t i = 0; i < membership_.size(); ++i) {
    const HostVerdict verdict = membership_.verdict(i);
    if (verdict != HostVerdict::kUp && verdict != HostVerdict::kMaintenance) return false;
  }
  return true;
}

}  // namespace rackline::heartbeat
