// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "probe/check.h"
#include "record/kinds_failover.h"
#include "store/document.h"
#include "store/store.h"

namespace rackline::failover {

// Where it is to be.
struct Affinity {
  std::vector<std::string> prefer;      // hosts, the best one first
  bool only = false;                    // nowhere else
  std::optional<std::string> together;  // group: those of it run on one host
  bool failback = false;                // it goes back when a better one of `prefer` serves again
};

// What failover must know of a VM when the host that knew it is dead: kept in the store, under
// protected/NAME.
struct Protected {
  std::string vm, uuid;
  std::string host;       // where it was last seen; the authoritative place of it
  bool running = true;    // as last seen: a stopped one is not started
  bool stay_off = false;  // a person wants it so: it then counts as stopped, whatever is seen of it
  std::int64_t priority = 0;
  std::vector<std::string> after;  // have to run before it
  std::optional<std::string> anti_affinity, check;
  Affinity affinity;
  std::int64_t memory_bytes = 0, vcpus = 1;
  std::chrono::sys_seconds refreshed{};  // when the definition was read
  std::chrono::sys_seconds seen{};       // when `host` was known to be its place; not after that
  // Hosts that were found to lack what it needs, and why; and why there is no host for it but its own.
  std::map<std::string, std::string> unfit;
  std::optional<std::string> pinned;
  bool autostart = false;    // whether libvirt started it before it was protected
  std::string xml;           // the inactive definition with its secrets
  std::int64_t version = 0;  // of the store's entry; 0: not stored yet
  static const store::Fields kFields;
};

// All of these throw Error(kUnreachable) for a store that does not answer or an entry that cannot be read.
// `torn`: what is wrong with entries that cannot be read; not given: they are thrown.
std::vector<Protected> protected_vms(store::Store& store,
                                     std::vector<std::string>* torn = nullptr);  // by name
std::optional<Protected> protected_vm(store::Store& store, const std::string& vm);
// Durable when it returns. False when somebody else has changed it since `version` was read.
bool put(store::Store& store, const Protected& vm);
bool remove(store::Store& store, const Protected& vm);

// As put(), on what is stored now: `vm` lives on `host`, where it was started at `seen`, and, unless a person
// wants it to stay off, is meant to run. Nothing when it is not protected any more.
void settle_host(store::Store& store, const std::string& vm, const std::string& host,
                 std::chrono::sys_seconds seen);
// The same of one that was moved there by somebody else. Nothing when it is not protected, or as another one.
void remember_place(store::Store& store, const std::string& vm, const std::string& uuid,
                    const std::string& host, std::chrono::sys_seconds seen);

// A circle in who has to run before whom, as "a, b, a"; empty when there is none.
std::string dependency_cycle(const std::vector<Protected>& vms);

record::VmProtected record_of(const Protected& vm);

// Those of probe::parse() that ask the VM itself: "tcp:ADDRESS:PORT", "http://..." and "https://...".
std::optional<probe::Check> parse_check(std::string_view text);

}  // namespace rackline::failover
