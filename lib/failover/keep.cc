// SPDX-License-Identifier: Apache-2.0
#include "failover/keep.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "store/describe.h"

namespace rackline::failover {
namespace {

using What = Verdict::What;

constexpr const char* kPrefix = "keep/";

// How it ended there, in libvirt's word; empty where it is not defined, or active.
std::string ended_on(const HostView& host, const std::string& uuid) {
  for (const auto& vm : host.vms) {
    if (vm.uuid == uuid && vm.state == "shutoff") return vm.state_reason.value_or("unknown");
  }
  return {};
}

bool by_wish(const std::string& reason) {
  return reason == "shutdown" || reason == "saved" || reason == "from_snapshot";
}

// Where it is defined and off. A definition that libvirt left behind after a migration is not a place.
std::vector<std::string> places(const Situation& situation, const Protected& vm) {
  std::vector<std::string> hosts;
  for (const auto& [name, host] : situation.view.hosts) {
    const std::string reason = ended_on(host, vm.uuid);
    if (!reason.empty() && reason != "migrated") hosts.push_back(name);
  }
  return hosts;
}

// The place in the store, or the only other one.
std::string home_of(const Situation& situation, const Protected& vm) {
  const auto hosts = places(situation, vm);
  if (std::find(hosts.begin(), hosts.end(), vm.host) != hosts.end()) return vm.host;
  return hosts.size() == 1 ? hosts.front() : "";
}

}  // namespace

const store::Fields KeepNote::kFields{
    FIELD(KeepNote, vm),
    FIELD(KeepNote, since, store::kLater, store::Seconds),
    FIELD(KeepNote, storm, store::kLater),
    FIELD(KeepNote, starts, store::kRequired, store::Seconds),
    FIELD(KeepNote, failed, store::kLater),
    FIELD(KeepNote, failure, store::kLater),
};

std::map<std::string, KeepNote> keep_notes(store::Store& store) {
  std::map<std::string, KeepNote> notes;
  for (const auto& entry : store.list(kPrefix)) {
    auto note = store::from_text<KeepNote>(entry.value).value_or(KeepNote());
    // Only how often it was started lately is lost; a note in its place counts anew.
    if (note.vm.empty()) note.vm = store::from_key_part(entry.key.substr(std::string_view(kPrefix).size()));
    note.version = entry.version;
    notes[note.vm] = std::move(note);
  }
  return notes;
}

bool put(store::Store& store, const KeepNote& note) {
  const std::string key = kPrefix + store::key_part(note.vm);
  return store.commit({{{key, note.version}}, {{key, store::to_text(note)}}, {}}).has_value();
}

void forget_starts(store::Store& store, const std::string& vm) {
  store.commit({{}, {}, {kPrefix + store::key_part(vm)}});
}

std::string keep_objection(const Situation& situation, const Protected& vm) {
  if (!situation.disarmed.empty()) return situation.disarmed;
  for (const auto& host : situation.inventory) {
    if (situation.fenced(host) || situation.view.answered(host)) continue;
    // @rule 01-keep-silent-in-maintenance
    return host + " does not answer and is not fenced, so it could run there";
  }
  for (const auto& [name, host] : situation.view.hosts) {
    if (by_wish(ended_on(host, vm.uuid))) return "it was stopped in an orderly way on " + name;
  }
  return situation.could_run(vm);
}

bool is_nobodys(const Situation& situation, const Protected& vm) {
  if (!vm.running || !situation.view.active_on(vm.uuid).empty()) return false;
  const std::string home = home_of(situation, vm);
  // One that returns has its copies cleared first: what it believes may be stale.
  if (home.empty() || situation.marks.contains(home) || situation.marks.contains(vm.host)) return false;
  const auto& hosts = situation.view.hosts;
  return std::none_of(hosts.begin(), hosts.end(),
                      [&vm](const auto& host) { return by_wish(ended_on(host.second, vm.uuid)); });
}

bool is_storm(const Situation& situation) {
  std::set<std::string> homes;
  for (const auto& vm : situation.vms) {
    if (is_nobodys(situation, vm)) homes.insert(home_of(situation, vm));
  }
  return homes.size() > 1;
}

Verdict judge_keep(const Situation& situation, const Protected& vm, const KeepNote& note,
                   const KeepPolicy& policy, std::chrono::sys_seconds now) {
  Verdict verdict;
  verdict.keep = true;
  verdict.lost = true;  // one that is being moved can look so: it is looked at twice
  verdict.vm = vm;
  const std::string home = home_of(situation, vm);
  verdict.from = home;
  verdict.fence.host = home;
  // Starts of one absence have one name each: a repeated one is another incident.
  const auto recent = std::count_if(note.starts.begin(), note.starts.end(),
                                    [&](const auto& start) { return now - start < policy.window; });
  verdict.fence.id = "keep-" + std::to_string(note.since.value_or(now).time_since_epoch().count()) + "-" +
                     std::to_string(note.starts.size());
  const auto refused = [&verdict](std::string why) {
    verdict.what = What::kRefused;
    verdict.reason = std::move(why);
    return verdict;
  };
  if (const auto why = keep_objection(situation, vm); !why.empty()) return refused(why);
  if (note.failed >= policy.rounds) {  // @rule 04-keep-gives-up
    return refused(
        std::to_string(note.failed) + " starts of it in a row have failed, the last one: " + note.failure +
        "; it is not tried again: a person has to look, and then: failover want " + vm.vm + " running");
  }
  if (recent >= policy.in_all) {  // @rule 04-keep-is-bounded
    return refused("it was started " + std::to_string(policy.in_all) + " times within " +
                   std::to_string(policy.window.count()) +
                   " s and did not stay: a person has to look; it is tried again when they are older");
  }
  if (recent > 0 && now - note.starts.back() < policy.backoff * (1 << (recent - 1)))
    return refused("it was started a short time ago and has ended: it is tried again soon");
  const auto grace = note.storm ? policy.storm_grace : policy.grace;
  const bool waited = now - note.since.value_or(now) >= grace;
  const auto shut = situation.closed.find(home);
  const bool home_serves = shut == situation.closed.end();  // @rule 24-keep-waits-for-its-host: true
  const bool pinned = vm.pinned.has_value();
  if (home_serves && (recent < policy.at_home || pinned)) {
    verdict.prefer = home;
    verdict.only_there = !waited || pinned;
  } else if (!home_serves && !waited) {
    return refused(cluster::why_not(shut->second) + "; it goes elsewhere when " +
                   std::to_string(grace.count()) + " s have passed");
  } else {
    verdict.avoid = home;
  }
  verdict.what = What::kStart;
  verdict.reason = "it should run, and was off on " + home;
  return verdict;
}

}  // namespace rackline::failover
