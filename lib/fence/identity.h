// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "bmc/agent.h"
#include "bmc/ask.h"
#include "bmc/uuid.h"
#include "store/store.h"

namespace rackline::fence {

// Whether a controller switches the host that the inventory says: the UUID of the system that it switches,
// against the host's own.
enum class SwitchIdentity { kUnknown, kConfirmed, kMismatch };
const char* name_of(SwitchIdentity identity);

// What was learnt of one controller.
struct IdentityFinding {
  std::string host;
  std::string method;  // for people; empty: none of its methods can tell
  std::string place;   // SwitchPlace::key: an answer is of this switch and of no other
  SwitchIdentity identity = SwitchIdentity::kUnknown;
  std::optional<bmc::Uuid> bmc_uuid, host_uuid;
  std::string reason;
  Milliseconds elapsed{0};
};

// The last answer of each host, under identity/HOST in the store, also of controllers whose host was silent.
// What could not be read changes nothing of what was known. Throws Error as the store does, and kUnreachable
// for an answer that cannot be read.
std::vector<IdentityFinding> kept_identities(store::Store& store, const std::string& host);
void keep_identities(store::Store& store, const std::vector<IdentityFinding>& findings,
                     std::chrono::sys_seconds now);

// Compares what was read, also between hosts: a controller that says the same as that of another host
// switches only the one whose own UUID it is, and neither when both hosts have it. `known` are answers about
// hosts that were not asked now; those of them that became a mismatch by what was read are returned.
std::vector<IdentityFinding> judge_identities(std::vector<IdentityFinding>& findings,
                                              const std::vector<IdentityFinding>& known);

// The world as fence verify asks it; tests have their own.
class IdentitySource {
 public:
  virtual ~IdentitySource() = default;
  // Called from several threads.
  virtual bmc::Identity of_switch(const bmc::FenceMethod& method, Milliseconds timeout) = 0;
  virtual bmc::Identity of_host(const record::Host& host, Milliseconds timeout) = 0;
};

class RealIdentities final : public IdentitySource {
 public:
  bmc::Identity of_switch(const bmc::FenceMethod& method, Milliseconds timeout) override;
  bmc::Identity of_host(const record::Host& host, Milliseconds timeout) override;
};

// Asks all of `hosts` at the same time, judges and, if `keep`, keeps the answers.
std::vector<IdentityFinding> verify_identities(store::Store& store, IdentitySource& source,
                                               const std::vector<record::Host>& hosts,
                                               const std::map<std::string, bmc::FenceLevels>& methods,
                                               const Clock& clock, Milliseconds timeout, bool keep);

// Stands before a power switch. A method whose kept answer is a mismatch is not used at all, also not for
// reading: that another host is off proves nothing. If `required`, only a confirmed one is used. The answer
// is read at every call, so that a fence that has run for months knows of it.
class IdentityGuard final : public bmc::PowerSwitch {
 public:
  IdentityGuard(bmc::PowerSwitch& power, store::Store& store, bool required)
      : power_(power), store_(store), required_(required) {}
  bmc::AgentReply call(const bmc::FenceMethod& method, bmc::PowerAction action,
                       Milliseconds timeout) override;
  // Confirmed when all methods of the level are.
  SwitchIdentity of_level(const bmc::FenceLevel& level);

 private:
  SwitchIdentity of(const bmc::FenceMethod& method);

  bmc::PowerSwitch& power_;
  store::Store& store_;
  bool required_;
};

}  // namespace rackline::fence
