// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/error.h"
#include "bmc/switch.h"
#include "fence/identity.h"
#include "store_urls.h"

namespace rackline::fence {
namespace {

constexpr const char* kA = "00112233-4455-6677-8899-aabbccddeeff";
constexpr const char* kATurned = "33221100-5544-7766-8899-aabbccddeeff";
constexpr const char* kB = "11111111-4455-6677-8899-aabbccddeeff";

IdentityFinding read(const std::string& host, const char* bmc, const char* own) {
  IdentityFinding finding;
  finding.host = host;
  finding.method = "fence_ipmilan " + host;
  finding.place = "place of " + host;
  if (bmc != nullptr) finding.bmc_uuid = bmc::parse_uuid(bmc);
  if (own != nullptr) finding.host_uuid = bmc::parse_uuid(own);
  return finding;
}

std::vector<SwitchIdentity> judged(std::vector<IdentityFinding> findings,
                                   const std::vector<IdentityFinding>& known = {}) {
  judge_identities(findings, known);
  std::vector<SwitchIdentity> result;
  for (const auto& finding : findings) {
    result.push_back(finding.identity);
    EXPECT_EQ(finding.reason.empty(), finding.identity != SwitchIdentity::kMismatch) << finding.reason;
  }
  return result;
}

using Identities = std::vector<SwitchIdentity>;
constexpr auto kConfirmed = SwitchIdentity::kConfirmed;
constexpr auto kMismatch = SwitchIdentity::kMismatch;
constexpr auto kUnknown = SwitchIdentity::kUnknown;

TEST(FenceIdentity, IsTheHostsOwnUuidFromItsController) {
  EXPECT_EQ(judged({read("h1", kA, kATurned)}), Identities{kConfirmed});
  EXPECT_EQ(judged({read("h1", kA, kB)}), Identities{kMismatch});
  EXPECT_EQ(judged({read("h1", kA, nullptr)}), Identities{kUnknown});
  EXPECT_EQ(judged({read("h1", nullptr, kA)}), Identities{kUnknown});
  // Swapped cables.
  EXPECT_EQ(judged({read("h1", kB, kA), read("h2", kA, kB)}), (Identities{kMismatch, kMismatch}));
}

TEST(FenceIdentity, TwoControllersOfOneSystemAreAMismatch) {
  EXPECT_EQ(judged({read("h1", kA, nullptr), read("h2", kA, nullptr)}), (Identities{kMismatch, kMismatch}));
  EXPECT_EQ(judged({read("h1", kA, kA), read("h2", kA, kB)}), (Identities{kConfirmed, kMismatch}));
  EXPECT_EQ(judged({read("h1", kA, kA), read("h2", kA, nullptr)}), (Identities{kMismatch, kMismatch}));
  // Two hosts with one UUID tell nothing.
  EXPECT_EQ(judged({read("h1", kA, kA), read("h2", kA, kA)}), (Identities{kMismatch, kMismatch}));
  // Also one that was not asked now.
  EXPECT_EQ(judged({read("h1", kA, nullptr)}, {read("h2", kA, kA)}), Identities{kMismatch});
}

TEST(FenceIdentity, IsKeptUntilItIsReadAgain) {
  const store::ScratchDirectory scratch;
  const auto store = store::Store::open("sqlite:" + (scratch.path() / "s.db").string());
  auto one = read("h1", kA, kA);
  one.identity = kConfirmed;
  keep_identities(*store, {one}, {});
  ASSERT_EQ(kept_identities(*store, "h1").size(), 1U);
  EXPECT_EQ(kept_identities(*store, "h1")[0].identity, kConfirmed);
  keep_identities(*store, {read("h1", nullptr, kA)}, {});
  EXPECT_EQ(kept_identities(*store, "h1")[0].identity, kConfirmed);
  one.identity = kMismatch;
  keep_identities(*store, {one}, {});
  EXPECT_EQ(kept_identities(*store, "h1")[0].identity, kMismatch);
  EXPECT_TRUE(kept_identities(*store, "h2").empty());
  store->commit({{}, {{"identity/h1", "{}"}}, {}});
  EXPECT_THROW(kept_identities(*store, "h1"), Error);
}

TEST(FenceIdentity, AControllerIsKnownAgainAlsoWhenItsHostWasSilent) {
  const store::ScratchDirectory scratch;
  const auto store = store::Store::open("sqlite:" + (scratch.path() / "s.db").string());
  keep_identities(*store, {read("h1", kA, nullptr)}, {});
  auto known = kept_identities(*store, "h1");
  ASSERT_EQ(known.size(), 1U);
  EXPECT_EQ(known[0].identity, kUnknown);
  // Another host's says the same at another time: neither is used any more.
  std::vector<IdentityFinding> later{read("h2", kATurned, nullptr)};
  const auto contradicted = judge_identities(later, known);
  EXPECT_EQ(later[0].identity, kMismatch);
  ASSERT_EQ(contradicted.size(), 1U);
  EXPECT_EQ(contradicted[0].host, "h1");
  keep_identities(*store, contradicted, {});
  EXPECT_EQ(kept_identities(*store, "h1")[0].identity, kMismatch);
  // The same answer while the host is silent takes no verdict away; another one does not confirm anything.
  keep_identities(*store, {read("h1", kA, nullptr)}, {});
  EXPECT_EQ(kept_identities(*store, "h1")[0].identity, kMismatch);
  auto confirmed = read("h1", kA, kA);
  confirmed.identity = kConfirmed;
  EXPECT_EQ(judged({read("h1", kB, nullptr)}, {confirmed}), Identities{kMismatch});
  EXPECT_EQ(judged({read("h1", kA, nullptr)}, {confirmed}), Identities{kUnknown});
}

struct Counting : bmc::PowerSwitch {
  bmc::AgentReply call(const bmc::FenceMethod& /*method*/, bmc::PowerAction /*action*/,
                       Milliseconds /*timeout*/) override {
    ++calls;
    return {bmc::Power::kOff, true, {}};
  }
  int calls = 0;
};

TEST(FenceIdentity, ASwitchOfAnotherHostIsNotUsedAndProvesNothing) {
  const store::ScratchDirectory scratch;
  const auto store = store::Store::open("sqlite:" + (scratch.path() / "s.db").string());
  bmc::FenceMethod method;
  method.host = "h1";
  method.agent = "fence_ipmilan";
  method.options = {"ip=10.0.0.1"};
  Counting power;
  IdentityGuard guard(power, *store, false);
  const auto status = [&](IdentityGuard& by) {
    return by.call(method, bmc::PowerAction::kStatus, Milliseconds{100});
  };
  EXPECT_EQ(status(guard).power, bmc::Power::kOff);
  EXPECT_EQ(guard.of_level({method}), kUnknown);
  auto finding = read("h1", kA, kB);
  finding.place = bmc::switch_place(method).key();
  finding.identity = kMismatch;
  keep_identities(*store, {finding}, {});
  EXPECT_EQ(status(guard).power, bmc::Power::kUnknown);
  EXPECT_FALSE(guard.call(method, bmc::PowerAction::kOff, Milliseconds{100}).accepted);
  EXPECT_EQ(power.calls, 1);
  // The answer was about another switch.
  method.options = {"ip=10.0.0.2"};
  EXPECT_EQ(status(guard).power, bmc::Power::kOff);
}

TEST(FenceIdentity, MayBeDemanded) {
  const store::ScratchDirectory scratch;
  const auto store = store::Store::open("sqlite:" + (scratch.path() / "s.db").string());
  bmc::FenceMethod method;
  method.host = "h1";
  method.agent = "fence_ipmilan";
  method.options = {"ip=10.0.0.1"};
  Counting power;
  IdentityGuard strict(power, *store, true);
  EXPECT_FALSE(strict.call(method, bmc::PowerAction::kOff, Milliseconds{100}).accepted);
  EXPECT_EQ(power.calls, 0);
  auto finding = read("h1", kA, kA);
  finding.place = bmc::switch_place(method).key();
  finding.identity = kConfirmed;
  keep_identities(*store, {finding}, {});
  EXPECT_TRUE(strict.call(method, bmc::PowerAction::kOff, Milliseconds{100}).accepted);
  EXPECT_EQ(strict.of_level({method}), kConfirmed);
}

// Controllers by their address and hosts by their name; what is not there does not answer.
struct World : IdentitySource {
  bmc::Identity of_switch(const bmc::FenceMethod& method, Milliseconds /*timeout*/) override {
    return answer(method.option("ip"));
  }
  bmc::Identity of_host(const record::Host& host, Milliseconds /*timeout*/) override {
    return answer(host.host);
  }
  bmc::Identity answer(const std::string& name) {
    const auto found = uuids.find(name);
    if (found == uuids.end()) return {std::nullopt, "no answer"};
    return {bmc::parse_uuid(found->second), {}};
  }
  std::map<std::string, std::string> uuids;
};

TEST(FenceIdentity, WhatWasLearntOfASwitchThatTheHostNoLongerHasCountsNoMore) {
  const store::ScratchDirectory scratch;
  const auto store = store::Store::open("sqlite:" + (scratch.path() / "s.db").string());
  World world;
  world.uuids = {{"10.0.0.1", kA}, {"10.0.0.2", kB}, {"h1", kA}, {"h2", kB}};
  std::vector<record::Host> hosts(2);
  const auto verify = [&](const char* first, const char* second) {
    hosts[0].host = "h1";
    hosts[0].bmc = first;
    hosts[1].host = "h2";
    hosts[1].bmc = second;
    Identities result;
    for (const auto& finding : verify_identities(*store, world, hosts, bmc::fence_methods(hosts, {}, {}),
                                                 system_clock(), Milliseconds{1000}, true))
      result.push_back(finding.identity);
    return result;
  };
  EXPECT_EQ(verify("ipmi://10.0.0.2", "ipmi://10.0.0.1"), (Identities{kMismatch, kMismatch}));
  world.uuids.erase("h1");
  world.uuids.erase("10.0.0.2");
  EXPECT_EQ(verify("ipmi://10.0.0.1", "ipmi://10.0.0.2"), (Identities{kUnknown, kUnknown}));
}

TEST(FenceIdentity, TwoControllersThatAreAskedApartAreAMismatch) {
  const store::ScratchDirectory scratch;
  const auto store = store::Store::open("sqlite:" + (scratch.path() / "s.db").string());
  World world;
  world.uuids = {{"10.0.0.1", kA}, {"10.0.0.2", kA}};
  std::vector<record::Host> hosts(2);
  for (int i = 0; i < 2; ++i) {
    hosts[i].host = "h" + std::to_string(i + 1);
    hosts[i].bmc = "ipmi://10.0.0." + std::to_string(i + 1);
  }
  const auto methods = bmc::fence_methods(hosts, {}, {});
  const auto verify = [&](int i) {
    return verify_identities(*store, world, {hosts[i]}, methods, system_clock(), Milliseconds{1000}, true)
        .at(0)
        .identity;
  };
  EXPECT_EQ(verify(0), kUnknown);
  EXPECT_EQ(verify(1), kMismatch);
  EXPECT_EQ(kept_identities(*store, "h1").at(0).identity, kMismatch);
}

}  // namespace
}  // namespace rackline::fence
