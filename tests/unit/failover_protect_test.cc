// SPDX-License-Identifier: Apache-2.0
// What failover keeps beside the servers it was told of: what comes later, what can start nowhere else, and
// what a person wants to stay off; and who is left that nobody protects.
#include <gtest/gtest.h>

#include "base/error.h"
#include "cluster/marks.h"
#include "failover/keep.h"
#include "failover/protect.h"
#include "failover/unprotected.h"
#include "failover_fake.h"
#include "store_urls.h"

namespace rackline::failover {
namespace {

class ProtectTest : public testing::Test {
 protected:
  ProtectTest() : store_(store::Store::open("sqlite:" + (directory_.path() / "state.db").string())) {
    inventory_ = fake_hosts(cluster_, 3);
  }
  Protector protector() {
    return {inventory_,
            cluster_,
            *store_,
            system_clock(),
            Milliseconds{1000},
            false,
            {.stored = [](const record::VmProtected&) {},
             .warn = [this](const std::string& text) { warnings_ += text + "\n"; }}};
  }
  Status protect(const std::vector<std::string>& vms) {
    Wishes wishes;
    wishes.vms = vms;
    return protector().protect(wishes);
  }
  Status stand(bool on = true, const std::vector<std::string>& except = {}) {
    Wishes wishes;
    wishes.all = on;
    wishes.standing = on;
    wishes.except = except;
    wishes.by = "ann";
    return protector().protect(wishes);
  }
  std::string names() {
    std::string text;
    for (const auto& vm : protected_vms(*store_)) text += (text.empty() ? "" : " ") + vm.vm;
    return text;
  }
  std::string pinned(const std::string& vm) { return protected_vm(*store_, vm)->pinned.value_or(""); }
  std::string unprotected() {
    std::string text;
    for (const auto& vm : unprotected_vms(cluster_.look({"h1", "h2", "h3"}, Milliseconds{1000}),
                                          protected_vms(*store_), standing_rule(*store_)))
      text += (text.empty() ? "" : " ") + vm.vm + "@" + vm.host;
    return text;
  }

  store::ScratchDirectory directory_;
  std::unique_ptr<store::Store> store_;
  FakeCluster cluster_;
  std::vector<record::Host> inventory_;
  std::string warnings_;
};

TEST_F(ProtectTest, WhatComesLaterIsProtectedByTheStandingRule) {
  cluster_.add("h1", "a");
  EXPECT_EQ(stand(), Status::kDone);
  cluster_.add("h2", "b");
  EXPECT_EQ(unprotected(), "b@h2");
  EXPECT_EQ(protector().refresh(), Status::kDone);
  EXPECT_EQ(names(), "a b");
  EXPECT_TRUE(protected_vm(*store_, "b")->running);
  EXPECT_EQ(standing_rule(*store_)->by, "ann");
  EXPECT_EQ(stand(false), Status::kDone);
  cluster_.add("h3", "c");
  protector().refresh();
  EXPECT_EQ(names(), "a b");
}

TEST_F(ProtectTest, TheStandingRuleTakesInNobodyThatAPersonTookOut) {
  for (const char* vm : {"a", "b", "c"}) cluster_.add("h1", vm);
  stand(true, {"a"});
  EXPECT_EQ(names(), "b c");
  protector().unprotect({"b"});
  protector().refresh();
  EXPECT_EQ(names(), "c");
  stand();
  EXPECT_EQ(names(), "c");
  EXPECT_EQ(protect({"a"}), Status::kDone);  // by name it is wanted again
  protector().refresh();
  EXPECT_EQ(names(), "a c");
  EXPECT_EQ(standing_rule(*store_)->except, std::set<std::string>{"b"});
}

// A definition that is off may be what is left of one that runs where nobody answers.
TEST_F(ProtectTest, WhatIsOffBesideASilentHostIsNotTakenIn) {
  stand();
  cluster_.add("h1", "a", migrate::VmState::kShutoff);
  cluster_.at("h3").silent = true;
  protector().refresh();
  EXPECT_EQ(names(), "");
  cluster_.at("h3").silent = false;
  protector().refresh();
  EXPECT_EQ(names(), "a");
}

// Beside a host that is silent a definition says nothing of where it runs.
TEST_F(ProtectTest, OnlyOneThatRunsIsSeenBesideASilentHost) {
  cluster_.add("h1", "a");
  protect({"a"});
  auto stored = *protected_vm(*store_, "a");
  stored.seen = {};
  ASSERT_TRUE(put(*store_, stored));
  auto& vm = cluster_.at("h1").vms["uuid-a"];
  vm.state = migrate::VmState::kShutoff;
  vm.lost = true;
  cluster_.at("h3").silent = true;
  protector().refresh();
  EXPECT_EQ(protected_vm(*store_, "a")->seen, std::chrono::sys_seconds{});
  EXPECT_NE(protected_vm(*store_, "a")->refreshed, std::chrono::sys_seconds{});
  vm.state = migrate::VmState::kRunning;
  protector().refresh();
  EXPECT_NE(protected_vm(*store_, "a")->seen, std::chrono::sys_seconds{});
}

TEST_F(ProtectTest, WhatWasMovedByOthersHasItsPlaceThere) {
  cluster_.add("h1", "a");
  protect({"a"});
  const auto before = *protected_vm(*store_, "a");
  remember_place(*store_, "a", "another-uuid", "h3", {});
  remember_place(*store_, "nobody", "uuid-a", "h3", {});
  EXPECT_EQ(protected_vm(*store_, "a")->host, "h1");
  remember_place(*store_, "a", "uuid-a", "h2", before.seen + std::chrono::seconds{5});
  EXPECT_EQ(protected_vm(*store_, "a")->host, "h2");
  EXPECT_EQ(protected_vm(*store_, "a")->seen, before.seen + std::chrono::seconds{5});
  EXPECT_EQ(protected_vm(*store_, "a")->refreshed, before.refreshed);
}

// A slip of the pen would be found out on the night when its host dies.
TEST_F(ProtectTest, WhatNobodyKnowsIsNotWaitedFor) {
  cluster_.add("h1", "web");
  cluster_.add("h2", "db");
  Wishes wishes;
  wishes.vms = {"web"};
  wishes.after = {"bd"};
  EXPECT_THROW(protector().protect(wishes), Error);
  EXPECT_EQ(names(), "");
  cluster_.at("h3").silent = true;
  try {
    protector().protect(wishes);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUnreachable);
  }
  wishes.after = {"db"};
  EXPECT_EQ(protector().protect(wishes), Status::kDone);
  EXPECT_NE(warnings_.find("--after db: nobody protects it"), std::string::npos);
  warnings_.clear();
  wishes.vms = {"web", "db"};
  wishes.after.clear();
  EXPECT_EQ(protector().protect(wishes), Status::kDone);
  wishes.vms = {"web"};
  wishes.after = {"db"};
  EXPECT_EQ(protector().protect(wishes), Status::kDone);
  EXPECT_EQ(warnings_, "");
}

TEST_F(ProtectTest, ThatWhatOthersWaitForIsGoneIsTold) {
  cluster_.add("h1", "web");
  cluster_.add("h2", "db");
  protect({"web", "db"});
  auto web = *protected_vm(*store_, "web");
  web.after = {"db"};
  ASSERT_TRUE(put(*store_, web));
  EXPECT_EQ(protector().unprotect({"db"}), Status::kDone);
  EXPECT_NE(warnings_.find("web is started after db, which nobody protects now"), std::string::npos);
  EXPECT_EQ(protector().refresh(), Status::kDone);
  cluster_.at("h2").vms.clear();
  EXPECT_EQ(protector().refresh(), Status::kNo);
  EXPECT_NE(warnings_.find("--without after"), std::string::npos);
}

TEST_F(ProtectTest, WishesAreTakenAwayAgain) {
  cluster_.add("h1", "web");
  cluster_.add("h2", "db");
  Wishes wishes;
  wishes.vms = {"web"};
  wishes.after = {"db"};
  wishes.anti_affinity = "g";
  wishes.check = "tcp:10.0.0.1:80";
  wishes.affinity = {{"h1", "h2"}, true, "t", true};
  wishes.priority = 7;
  protector().protect(wishes);
  Wishes less;
  less.vms = {"web"};
  less.without = {"prefer"};  // `only` would hang in the air
  EXPECT_THROW(protector().protect(less), Error);
  less.without = {"after", "anti-affinity", "check", "failback", "only", "prefer", "together"};
  EXPECT_EQ(protector().protect(less), Status::kDone);
  const auto web = *protected_vm(*store_, "web");
  EXPECT_TRUE(web.after.empty() && web.affinity.prefer.empty());
  EXPECT_FALSE(web.anti_affinity || web.check || web.affinity.together);
  EXPECT_FALSE(web.affinity.only || web.affinity.failback);
  EXPECT_EQ(web.priority, 7);
}

TEST_F(ProtectTest, WhatAMigrationLeftBehindIsNoPlace) {
  cluster_.add("h1", "a", migrate::VmState::kShutoff);
  cluster_.at("h1").vms["uuid-a"].reason = "migrated";
  EXPECT_EQ(protect({"a"}), Status::kNo);
  cluster_.add("h2", "a");
  EXPECT_EQ(protect({"a"}), Status::kDone);
  EXPECT_EQ(protected_vm(*store_, "a")->host, "h2");
}

TEST_F(ProtectTest, ABalloonedOneStartsWithAllThatItMayHave) {
  cluster_.add("h1", "a");
  cluster_.at("h1").vms["uuid-a"].ballooned = FakeCluster::kGiB / 2;
  EXPECT_EQ(protect({"a"}), Status::kDone);
  EXPECT_EQ(protected_vm(*store_, "a")->memory_bytes, FakeCluster::kGiB);
}

TEST_F(ProtectTest, OneThatCanStartNowhereElseIsProtectedAndToldWhy) {
  cluster_.definitions["card"] =
      FakeCluster::xml_with("card",
                            "<hostdev type='pci'><source><address domain='0x0000' bus='0x41' slot='0x00' "
                            "function='0x0'/></source></hostdev>");
  cluster_.definitions["disk"] = FakeCluster::xml_with(
      "disk", "<disk type='file' device='cdrom'><source file='/root/boot.iso'/><target dev='sda'/></disk>");
  cluster_.definitions["net"] =
      FakeCluster::xml_with("net", "<interface type='bridge'><source bridge='br9'/></interface>");
  for (const char* vm : {"card", "disk", "net", "plain"}) cluster_.add("h1", vm);
  cluster_.at("h2").unknown_network = cluster_.at("h3").unknown_network = "br9";
  EXPECT_EQ(protect({"card", "disk", "net", "plain"}), Status::kDone);
  EXPECT_EQ(pinned("card"), "it uses a device of its host: pci 0000:41:00.0");
  EXPECT_EQ(pinned("disk"), "disk sda (/root/boot.iso) is not on storage that h1 shares with another host");
  EXPECT_EQ(pinned("net"), "h2 has no bridge br9; h3 has no bridge br9");
  EXPECT_EQ(pinned("plain"), "");
  EXPECT_NE(warnings_.find("card is protected, but pinned to h1"), std::string::npos);
}

TEST_F(ProtectTest, RefreshFindsWhatHasBecomePinnedAndTellsItOnce) {
  cluster_.definitions["net"] =
      FakeCluster::xml_with("net", "<interface type='bridge'><source bridge='br9'/></interface>");
  cluster_.add("h1", "net");
  protect({"net"});
  EXPECT_EQ(pinned("net"), "");
  cluster_.at("h2").unknown_network = "br9";
  protector().refresh();
  EXPECT_EQ(pinned("net"), "");
  EXPECT_EQ(protected_vm(*store_, "net")->unfit.size(), 1U);
  cluster_.at("h3").no_machine = "pc";
  protector().refresh();
  EXPECT_EQ(pinned("net"), "h2 has no bridge br9; h3 has no machine type pc");
  EXPECT_NE(warnings_.find("pinned"), std::string::npos);
  warnings_.clear();
  protector().refresh();
  EXPECT_EQ(warnings_, "");
  // One that is silent has not got it by that.
  cluster_.at("h3").silent = true;
  protector().refresh();
  EXPECT_NE(pinned("net"), "");
}

// It says so of the very host where the server runs: it cannot tell.
TEST_F(ProtectTest, ALibvirtdThatDoesNotKnowItsBridgesIsNoWitness) {
  cluster_.definitions["net"] =
      FakeCluster::xml_with("net", "<interface type='bridge'><source bridge='br9'/></interface>");
  cluster_.add("h1", "net");
  for (const char* host : {"h1", "h2", "h3"}) cluster_.at(host).unknown_network = "br9";
  protect({"net"});
  EXPECT_EQ(pinned("net"), "");
}

TEST_F(ProtectTest, OneThatSomebodyHasPausedIsNotStartedRunning) {
  cluster_.add("h1", "a");
  auto& vm = cluster_.at("h1").vms["uuid-a"];
  vm.state = migrate::VmState::kPaused;
  for (const char* reason : {"migration", "ioerror"}) {
    vm.reason = reason;
    protect({"a"});
    EXPECT_TRUE(protected_vm(*store_, "a")->running) << reason << " is nobody's wish";
  }
  vm.reason = "user";
  protector().refresh();
  EXPECT_FALSE(protected_vm(*store_, "a")->running);
  vm.state = migrate::VmState::kRunning;
  protector().refresh();
  EXPECT_TRUE(protected_vm(*store_, "a")->running);
}

TEST_F(ProtectTest, OneThatAPersonWantsOffStaysSoUntilItIsWanted) {
  cluster_.add("h1", "a");
  protect({"a"});
  EXPECT_EQ(protector().want("a", false), Status::kDone);
  EXPECT_EQ(unprotected(), "a@h1");
  auto& vm = cluster_.at("h1").vms["uuid-a"];
  vm.state = migrate::VmState::kShutoff;
  vm.lost = true;
  protector().refresh();
  settle_host(*store_, "a", "h2", {});
  EXPECT_FALSE(protected_vm(*store_, "a")->running);
  EXPECT_EQ(record_of(*protected_vm(*store_, "a")).want, "stopped");
  EXPECT_EQ(protector().want("a", true), Status::kDone);
  protector().refresh();
  EXPECT_TRUE(protected_vm(*store_, "a")->running);
  EXPECT_THROW(protector().want("nobody", true), Error);
}

TEST_F(ProtectTest, ThatAPersonHasLookedForgetsTheStartsThatFailed) {
  cluster_.add("h1", "a");
  protect({"a"});
  KeepNote note;
  note.vm = "a";
  note.failed = 8;
  ASSERT_TRUE(put(*store_, note));
  protector().want("a", true);
  EXPECT_TRUE(keep_notes(*store_).empty());
}

class UnprotectedTest : public ProtectTest {
 protected:
  void look() {
    const auto view = cluster_.look({"h1", "h2", "h3"}, Milliseconds{1000});
    watch_.seen(view, unprotected_vms(view, protected_vms(*store_), standing_rule(*store_)));
  }
  UnprotectedWatch watch_{
      {.found = [this](const record::VmUnprotected& vm) { found_ += vm.vm + "@" + vm.host + " "; },
       .warn = [this](const std::string& text) { warnings_ += text + "\n"; }}};
  std::string found_;
};

TEST_F(UnprotectedTest, IsToldWhenItChangesAndNotEachTime) {
  cluster_.add("h1", "a");
  cluster_.add("h2", "off", migrate::VmState::kShutoff);
  look();
  look();
  EXPECT_EQ(found_, "a@h1 ");
  EXPECT_NE(warnings_.find("nobody protects a (h1)"), std::string::npos);
  cluster_.add("h2", "b");
  look();
  EXPECT_EQ(found_, "a@h1 b@h2 ");
  protect({"a"});
  look();
  protector().unprotect({"a"});
  look();
  EXPECT_EQ(found_, "a@h1 b@h2 a@h1 ");
}

TEST_F(UnprotectedTest, ASilentHostSaysNothingAndAFencedOneHasLostThem) {
  cluster_.add("h1", "a");
  look();
  cluster_.at("h1").silent = true;
  look();
  cluster_.at("h1").silent = false;
  look();
  EXPECT_EQ(found_, "a@h1 ");
  watch_.fenced("h1");
  EXPECT_EQ(found_, "a@h1 a@h1 ");
  EXPECT_NE(warnings_.find("a (h1) ran on h1, which is fenced"), std::string::npos);
}

}  // namespace
}  // namespace rackline::failover
