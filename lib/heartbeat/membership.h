// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/time.h"
#include "heartbeat/detector.h"
#include "heartbeat/message.h"
#include "heartbeat/proven_off.h"
#include "record/kinds_heartbeat.h"

namespace rackline::heartbeat {

struct WatchPolicy {
  DetectorPolicy detector;
  bool storage = false;              // there are slots to read
  Milliseconds start_grace{10'000};  // what was never heard is not judged before
  Milliseconds answer{1'000};  // longest wait for libvirt and for other agents before judging without them
  int flaps = 4;               // so many suspicions within flap_window are a flapping host, which is
  Milliseconds flap_window{60'000};  // not called up again before
  Milliseconds flap_hold{30'000};    // it was well for so long
  // After the power of several hosts has failed: so long those that were silent with the others are given to
  // come back, counted from when most are back.
  Milliseconds storm_grace{120'000};
};

enum class HostVerdict {
  kUnknown,  // never heard of
  kUp,
  kSuspect,
  kDown,
  kIsolated,
  kPartitioned,
  kHypervisorDown,
  kMaintenance,
  kFenceContradicted
};
enum class LibvirtAnswer { kNotAsked, kAnswers, kRefused, kTimeout };

struct Transition {
  HostVerdict verdict;
  record::HostState record;

  // Calls `take` with the record as one of the kind that the verdict says.
  template <class Take>
  void as_kind(Take take) const {
    const auto as = [&]<class K>(K kind) {
      static_cast<record::HostState&>(kind) = record;
      take(std::move(kind));
    };
    switch (verdict) {
      case HostVerdict::kUp:
        return as(record::HostUp{});
      case HostVerdict::kDown:
        return as(record::HostDown{});
      case HostVerdict::kIsolated:
        return as(record::HostIsolated{});
      case HostVerdict::kPartitioned:
        return as(record::HostPartitioned{});
      case HostVerdict::kHypervisorDown:
        return as(record::HypervisorDown{});
      case HostVerdict::kMaintenance:
        return as(record::HostMaintenance{});
      case HostVerdict::kFenceContradicted:
        return as(record::FenceContradicted{});
      default:
        return as(record::HostSuspect{});
    }
  }
};

// How a host is, for those who place VMs.
struct HostHealth {
  std::string host, verdict, reason;  // as in the records
  bool well = false;                  // it lives, or its silence is planned
  bool heard = false;                 // right now, over the network
  std::string fence{};                // id of the fence mark that its life contradicts; else empty
};

// What a watcher knows of its hosts, and when that becomes a verdict. Pure: told of everything that is heard,
// with the time on the monotonic clock, it says what changed.
//
// The verdicts follow from three channels that fail for different reasons: heartbeats over the network,
// heartbeats on the shared storage, and questions (to the host's libvirtd, and to the agents of other hosts).
// A host is called down only when none of them shows life and each of them could have: storage that the
// watcher itself cannot read is not silence, and when more than half of the hosts are silent the watcher
// doubts itself instead.
class Membership {
 public:
  // `nonce` is drawn anew by every watcher; see Message.
  Membership(const WatchPolicy& policy, const std::vector<std::string>& hosts, std::uint64_t nonce,
             Milliseconds now);

  std::size_t size() const { return hosts_.size(); }
  const std::string& name(std::size_t host) const { return hosts_[host].name; }
  HostVerdict verdict(std::size_t host) const { return hosts_[host].verdict; }
  bool fenced(std::size_t host) const { return hosts_[host].fenced; }
  std::optional<std::size_t> find(std::string_view name) const;

  enum class Heard {
    kFresh,
    kUnproven,  // it does not know this watcher's nonce yet: an ack tells it
    kReplayed,  // seen before
    kTwin,      // of an agent that a younger one of this name has replaced: no life
  };
  Heard beat(std::size_t host, const Message& beat, Milliseconds now);

  enum class SlotHeard {
    kFresh,
    kSame,       // what was read the last time
    kUnproven,   // it does not bring this watcher's nonce: written before the watcher began, or before its
                 // challenge was read
    kReplayed,   // an old one was put back in place of a younger one
    kOvertaken,  // written clearly before the last beat over the network
  };
  // Whoever can write to the storage can put back every slot that stood there before, with its signature. So
  // a slot is a sign of life only if it brings the nonce of this watcher (it was written since the watcher
  // began), if its seq is above all those seen of its incarnation, and if that incarnation was not replaced.
  // It tells the number of the last beat over the network, too: who keeps slots away from the watcher, to put
  // them there one by one after the host's death, has only those from before its last beat, and of these only
  // the last few count.
  // `began`: when the reading of it did; not given: now.
  SlotHeard slot(std::size_t host, const Message& slot, Milliseconds now,
                 std::optional<Milliseconds> began = std::nullopt);
  // The challenge stands on the storage from `now` on. Before, a host that was not heard over the network
  // cannot prove anything there, and its silence means nothing.
  void challenged(Milliseconds now) {
    if (!challenged_) challenged_ = now;
  }
  // More agents were started under one name than can be remembered: a new nonce makes all that was said
  // before worthless, and the memory can be emptied.
  bool wants_nonce() const { return wants_nonce_; }
  void renew(std::uint64_t nonce);
  // Whether an agent that was replaced speaks while the newer one is silent: it may then begin anew.
  bool may_return(std::size_t host, Milliseconds now) const { return !net_alive(hosts_[host], now); }
  // What stands in its place cannot be read: its silence there means nothing.
  void slot_unreadable(std::size_t host, Milliseconds now) { hosts_[host].slot_unreadable = now; }
  // Whether the watcher itself can use the storage. Silence is counted only while it can.
  void storage_works(bool works, Milliseconds now);
  // `asked`: when the question was asked that it answers.
  void libvirt(std::size_t host, LibvirtAnswer answer, Milliseconds now,
               std::optional<Milliseconds> asked = std::nullopt);
  // Whether its kernel takes connections where its libvirtd listens: the machine runs then, whatever hangs.
  void connects(std::size_t host, bool does) { hosts_[host].connects = does; }
  // The wish for an answer of libvirt could not be fulfilled: silence then means nothing.
  void not_asked(std::size_t host) { hosts_[host].libvirt_asked.reset(); }
  void told(std::size_t host, bool reached, Milliseconds now);
  // Whether heartbeats of it come in over the network.
  bool heard(std::size_t host, Milliseconds now) const { return net_alive(hosts_[host], now); }

  // Something came in the name of the host, and was refused: `what`. No sign of life and of nothing else, but
  // the reason of a verdict says it.
  void claimed(std::size_t host, std::string what, Milliseconds now) {
    hosts_[host].claim = std::move(what);
    hosts_[host].claimed_at = now;
  }

  // With what its agent signs, where that is not the key of its last message.
  void signs_with(std::size_t host, std::uint32_t key_id) { hosts_[host].key_id = key_id; }

  void set_maintenance(const std::set<std::string, std::less<>>& hosts);
  // Hosts that are proven to be off: they are missing, but nobody has to doubt himself for that.
  void set_fenced(const std::set<std::string, std::less<>>& hosts);
  // Those of them that are not on their way back, with the id of the mark; their reading began at `began`.
  // For those that are new, `nonce` was drawn: see ProvenOff.
  void set_off(const std::map<std::string, std::string, std::less<>>& fences, std::uint64_t nonce,
               Milliseconds began, Milliseconds now);
  // What a message of this host has to bring. Acks tell it.
  std::uint64_t nonce_of(std::size_t host) const;
  // When it was last heard of by a watcher before this one, in words.
  void set_last_contact(std::size_t host, std::string when) { hosts_[host].last_contact = std::move(when); }
  // What stands in its slot, whatever it is worth: the run of its agent, and the number; nullopt: none was
  // read.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> slot_seen(std::size_t host) const;
  // Every host, once there is a verdict on each.
  std::vector<HostHealth> health(Milliseconds now) const;

  // The watcher was late by so much: silence in that time proves nothing, and for a while it is more patient.
  void was_late(Milliseconds by, Milliseconds now);

  struct Wish {
    std::size_t host;
    bool libvirt;  // ask its libvirtd
    bool peers;    // ask agents of other hosts whether they reach it
    bool connect;  // try whether its kernel takes connections
  };
  struct Round {
    std::vector<Transition> transitions;
    std::vector<Wish> wishes;
    std::optional<record::WatcherSuspect> doubt;  // when it begins
  };
  // To be called every 100 ms or so. Before the snapshot it has only wishes.
  Round tick(Milliseconds now);

  // Whether there is a verdict on every host, or no hope of one any more.
  bool settled(Milliseconds now) const;
  // Every host as it is; from now on tick() tells what changes.
  std::vector<Transition> snapshot(Milliseconds now);

  // Up to `count` hosts whose agents could look at `host`.
  std::vector<std::size_t> peers_of(std::size_t host, std::size_t count) const;

 private:
  struct Host {
    std::string name;
    HostVerdict verdict = HostVerdict::kUnknown;
    std::string reason;
    std::string incident;
    bool maintenance = false, fenced = false;
    std::uint32_t key_id = 0;
    bool doubtful = false;  // its last sign of life in any channel is Message::doubtful
    std::string claim;      // see claimed()
    std::optional<Milliseconds> claimed_at;
    bool doubted = false;  // named when the watcher doubted itself
    std::optional<ProvenOff> off;
    std::string last_contact;

    Detector net;
    Message beat;  // the last fresh one
    // The present one, and the last seq of it in each channel; those that it replaced never return.
    std::uint64_t incarnation = 0, net_seq = 0, slot_seq = 0;
    // A seq over the network that was heard between once and twice the time to death ago; the next such one.
    std::uint64_t seq_before = 0, seq_noted = 0;
    Milliseconds noted_at{0};
    std::unordered_set<std::uint64_t> replaced;
    std::optional<Milliseconds> twin_seen;

    bool slot_known = false, slot_proven = false, slot_leaving = false;
    std::uint64_t seen_incarnation = 0, seen_seq = 0;  // of what stands in the slot, whatever it is worth
    Milliseconds slot_changed{0};
    std::optional<Milliseconds> slot_unreadable;  // when that was seen last

    LibvirtAnswer libvirt = LibvirtAnswer::kNotAsked;
    bool libvirt_ever = false;
    bool connects = false;  // at the last attempt
    std::optional<Milliseconds> libvirt_asked, libvirt_told, libvirt_lived;

    std::optional<Milliseconds> peers_asked_at;
    std::int64_t peers_told = 0, peers_reached = 0;

    std::deque<Milliseconds> suspicions;  // when it fell silent, within the window of flapping
    Milliseconds silent_at{0};            // when it was last seen silent
  };
  struct Judgement {
    HostVerdict verdict;
    std::string reason;
  };
  enum class Store { kNone, kUnknown, kNever, kSilent, kAlive };

  bool agentless(const Host& host) const { return !host.net.ever() && !host.slot_known; }
  enum class Age { kOld, kPresent, kNew };
  SlotHeard hear_slot(Host& host, const Message& slot, Milliseconds now);
  static Age age_of(const Host& host, std::uint64_t incarnation);
  void replace(Host& host, std::uint64_t incarnation);
  static void forget(Host& host);
  bool net_alive(const Host& host, Milliseconds now) const;
  bool alive(const Host& host, Milliseconds now) const;
  Store store_of(const Host& host, Milliseconds now) const;
  Judgement judge(const Host& host, Milliseconds now) const;
  Judgement judge_believed(const Host& host, Milliseconds now) const;
  Judgement never_heard(const Host& host) const;
  Judgement judge_agentless(const Host& host, Milliseconds now) const;
  Judgement judge_silent(const Host& host, Milliseconds now) const;
  // Since when it has been silent.
  Milliseconds silent_since(const Host& host, Milliseconds now) const {
    return host.net.ever() ? now - host.net.silence(now) : started_;
  }
  // What libvirtd said in this silence; nothing when it was not asked yet, or is still to answer.
  std::optional<LibvirtAnswer> libvirt_now(const Host& host, Milliseconds now) const;
  bool waiting_for_answers(const Host& host, Milliseconds now) const;
  bool flapping(const Host& host, Milliseconds now) const;
  void wish(Host& host, std::size_t index, Milliseconds now, Round& round);
  void change(Host& host, Judgement judgement, Milliseconds now, Round& round);
  void doubt(Milliseconds now, Round& round);
  bool may_be_booting(const Host& host, Milliseconds now) const;
  // The id of the fence that its life contradicts.
  static std::optional<std::string> contradicted_fence(const Host& host);
  record::HostState record_of(const Host& host, Milliseconds now) const;

  WatchPolicy policy_;      // as it was given
  DetectorPolicy patient_;  // as it is applied: widened by the watcher's own lateness
  std::uint64_t nonce_;
  Milliseconds started_;
  std::vector<Host> hosts_;
  std::unordered_map<std::string, std::size_t> index_;
  bool storage_works_ = false;
  Milliseconds storage_readable_{0};  // since when it works
  Milliseconds late_{0}, late_at_{0};
  std::optional<Milliseconds> challenged_;
  bool wants_nonce_ = false;
  bool begun_ = false;  // the snapshot was taken
  bool doubting_ = false;
  // Since when most hosts were silent the last time, and since when they are not any more; whether one of
  // them came back as one that was started anew.
  std::optional<Milliseconds> doubt_began_, doubt_ended_;
  bool rebooted_ = false;
  Milliseconds doubt_told_{0};
  std::int64_t silent_ = 0, watched_ = 0;
};

}  // namespace rackline::heartbeat
