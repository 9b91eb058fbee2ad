// SPDX-License-Identifier: Apache-2.0
// What a cluster that heals itself has to do, as a table: what happens when, which starts follow in which
// order and where, what a person is told. In each, at every instant: no virtual server runs twice, and
// nothing is started on a host that does not serve.
#include <gtest/gtest.h>

#include <algorithm>

#include "ha_night_script.h"

namespace rackline::ha::night {
namespace {

struct Scenario {
  const char* name;
  int hosts;
  const char* guests;               // see add_guests()
  std::vector<std::string> events;  // see add_event(), in seconds
  int seconds;                      // that are watched
  const char* starts;               // "GUEST@HOST", in this order, also those that failed
  const char* places;               // "GUEST@HOST" at the end; "GUEST@HOST(off)"
  std::vector<std::string> calls;   // what is told; with none, no person is called
};

void PrintTo(const Scenario& scenario, std::ostream* out) {
  *out << scenario.name;
}

class Scenarios : public testing::TestWithParam<Scenario> {};

TEST_P(Scenarios, EndAsTheyShould) {
  const Scenario& scenario = GetParam();
  Night night(scenario.hosts);
  add_guests(night, scenario.guests);
  for (const auto& event : scenario.events) add_event(night, event);
  night.manager_on();
  night.run(std::chrono::seconds{scenario.seconds});

  const auto joined = [](const std::vector<std::string>& all, const char* by) {
    std::string text;
    for (const auto& one : all) text += (text.empty() ? "" : by) + one;
    return text;
  };
  SCOPED_TRACE(joined(night.log, "\n"));
  if (getenv("SHOW")) {
    std::cout << "=== " << scenario.name << "\nstarts: " << joined(night.site.started, " ") << "\n";
    std::string pl;
    for (auto& g : words(scenario.guests)) {
      auto n = g.substr(0, g.find('@'));
      pl += n + "@" + night.site.whereabouts(n) + " ";
    }
    std::cout << "places: " << pl << "\nviolations: " << joined(night.site.violations, "\n") << "\n"
              << joined(night.log, "\n") << "\n";
    return;
  }
  EXPECT_EQ(joined(night.site.started, " "), scenario.starts);
  EXPECT_EQ(joined(night.site.violations, "\n"), "");
  for (const auto& place : words(scenario.places)) {
    const auto at = place.find('@');
    EXPECT_EQ(night.site.whereabouts(place.substr(0, at)), place.substr(at + 1)) << place;
  }
  const std::string told = joined(night.calls, "\n");
  for (const auto& call : scenario.calls) EXPECT_NE(told.find(call), std::string::npos) << call;
  if (scenario.calls.empty()) {
    EXPECT_EQ(told.find("a person"), std::string::npos) << told;
  }
}

const Scenario kScenarios[] = {
    // --- a host dies ---
    {"AHostDies", 3, "a@h1 b@h1 c@h2", {"10 power h1 off"}, 60, "a@h3 b@h2", "a@h3 b@h2 c@h2", {}},
    {"OneOfTwoHostsDies", 2, "a@h1 b@h2", {"10 power h1 off"}, 60, "a@h2", "a@h2 b@h2", {}},
    {"HigherPrioritiesFirst",
     3,
     "a@h1:p=1 b@h1:p=9 c@h1:p=5",
     {"10 power h1 off"},
     60,
     "b@h2 c@h3 a@h2",
     "a@h2 b@h2 c@h3",
     {}},
    {"WhatOthersWaitForFirst",
     3,
     "web@h1:p=9:after=db db@h1 x@h1:p=5",
     {"10 power h1 off"},
     60,
     "db@h2 web@h3 x@h2",
     "db@h2 web@h3 x@h2",
     {}},
    {"WhatWasStoppedStaysStopped", 3, "a@h1:stopped b@h1", {"10 power h1 off"}, 60, "b@h2", "b@h2", {}},
    {"AHostThatIsCutOffIsSwitchedOff",
     3,
     "a@h1",
     {"10 net h1 off", "10 storage h1 off"},
     60,
     "a@h2",
     "a@h2",
     {}},
    {"AHostThatRebootsByItself", 3, "a@h1", {"10 power h1 off", "11 power h1 on"}, 90, "a@h2", "a@h2", {}},
    {"AShortSilenceIsNothing",
     3,
     "a@h1",
     {"10 net h1 off", "10 storage h1 off", "12 net h1 on", "12 storage h1 on"},
     60,
     "",
     "a@h1",
     {}},
    {"AHostThatWritesToItsStorageLives", 3, "a@h1", {"10 net h1 off", "200 net h1 on"}, 240, "", "a@h1", {}},
    {"OneThatWasMovedIsNotStartedAgain",
     3,
     "a@h1 b@h1",
     {"5 move a h3", "10 power h1 off"},
     60,
     "b@h2",
     "a@h3 b@h2",
     {}},
    {"OneThatWasMovedToTheHostThatDies",
     3,
     "a@h1",
     {"5 move a h3", "10 power h3 off"},
     60,
     "a@h1",
     "a@h1",
     {}},
    // --- places ---
    {"ApartOnDifferentHosts",
     3,
     "a@h1:apart=g b@h2:apart=g",
     {"10 power h1 off"},
     60,
     "a@h3",
     "a@h3 b@h2",
     {}},
    {"ApartAndNoHostIsLeft",
     3,
     "a@h1:apart=g b@h2:apart=g c@h3:apart=g",
     {"10 power h1 off", "60 unfence h1", "130 clear h1"},
     200,
     "a@h1",
     "a@h1 b@h2 c@h3",
     {"a is not restarted: unplaced", "failover keep starts it"}},
    {"NoRoomUntilOneIsStopped",
     3,
     "a@h1:mem=14 b@h2:mem=10 c@h3:mem=10",
     {"10 power h1 off", "60 end c shutdown"},
     120,
     "a@h3",
     "a@h3 b@h2 c@h3(off)",
     {"8GiB of memory missing"}},
    {"TheImportantOnesGetTheRoom",
     3,
     "a@h1:mem=8 b@h1:mem=8:p=9 c@h2:mem=10 d@h3:mem=6",
     {"10 power h1 off"},
     60,
     "b@h3",
     "b@h3 c@h2 d@h3",
     {"a is not restarted: unplaced"}},
    {"NotOnAHostInMaintenance",
     3,
     "a@h1 b@h2",
     {"5 maintenance h3 on", "10 power h1 off"},
     60,
     "a@h2",
     "a@h2 b@h2",
     {}},
    {"NotOnAHostThatIsDrained",
     3,
     "a@h1 b@h2",
     {"5 drain h3 on", "10 power h1 off"},
     60,
     "a@h2",
     "a@h2 b@h2",
     {}},
    {"PlannedSilenceIsNoDeath",
     3,
     "a@h1 b@h2",
     {"5 maintenance h1 on", "10 power h1 off", "190 power h1 on"},
     230,
     "",
     "b@h2",
     {}},
    {"NorIsAHostInMaintenanceAPlace",
     3,
     "a@h1 b@h2",
     {"5 maintenance h1 on", "10 power h1 off", "190 power h1 on"},
     300,
     "a@h3",
     "a@h3 b@h2",
     {"h1 is in maintenance"}},
    {"ThePreferredHost", 4, "a@h1:prefer=h4+h2 b@h4 c@h4", {"10 power h1 off"}, 60, "a@h4", "a@h4", {}},
    {"TheNextPreferredHost", 4, "a@h1:prefer=h4+h2 b@h2 c@h2", {"5 drain h4 on", "10 power h1 off"}, 60, "a@h2", "a@h2", {}},
    {"AnyHostWhenNoPreferredOneServes", 4, "a@h1:prefer=h4 b@h2", {"5 drain h4 on", "10 power h1 off"}, 60, "a@h3", "a@h3", {}},
    {"OnlyItsHosts", 4, "a@h1:only=h1+h4 b@h1", {"5 drain h4 on", "10 power h1 off", "60 drain h4 off"}, 120, "b@h2 a@h4", "a@h4 b@h2", {"a is not restarted: unplaced: a may be on its preferred hosts only"}},
    {"TogetherOnOneHost", 3, "a@h1:together=t b@h1:together=t:mem=8 c@h2:mem=9 d@h3:mem=6", {"10 power h1 off"}, 60, "a@h3 b@h3", "a@h3 b@h3", {}},
    {"TogetherAndNoRoomForBoth", 3, "a@h1:together=t:mem=6 b@h1:together=t:mem=6 c@h2:mem=8 d@h3:mem=8", {"10 power h1 off"}, 60, "", "", {"together (t)"}},
    {"OneFollowsThoseItBelongsTo", 3, "a@h1:together=t b@h2:together=t c@h2 d@h2", {"10 power h1 off"}, 60, "a@h2", "a@h2 b@h2", {}},
    {"TogetherElsewhereWhenAStartFails", 3, "a@h1:together=t b@h1:together=t", {"5 fails h2 1", "10 power h1 off"}, 60, "a@h2 a@h3 b@h3", "a@h3 b@h3", {}},
    // --- more than one thing at once ---
    {"TwoDieAtOnce",
     5,
     "a@h1 b@h2 c@h1 d@h3",
     {"5 bmc h2 slow", "10 power h1 off", "10 power h2 off"},
     60,
     "a@h4 b@h5 c@h3",
     "a@h4 b@h5 c@h3 d@h3",
     {}},
    {"ASecondDiesInTheRecovery",
     5,
     "a@h1 b@h2 c@h1 d@h3",
     {"10 power h1 off", "11.5 power h2 off"},
     60,
     "a@h4 b@h5 c@h3",
     "a@h4 b@h5 c@h3 d@h3",
     {"h2 does not answer and is not fenced"}},
    {"TheTargetDiesInTheRecovery",
     5,
     "a@h1 b@h2 c@h3 d@h4",
     {"5 dies-at-start h5", "10 power h1 off"},
     90,
     "a@h5 a@h2",
     "a@h2 b@h2 c@h3 d@h4",
     {}},
    {"AStartThatFailsIsTriedElsewhere",
     3,
     "a@h1 b@h2",
     {"5 fails h3 1", "10 power h1 off"},
     60,
     "a@h3 a@h2",
     "a@h2 b@h2",
     {}},
    {"AStartThatFailsEverywhere",
     3,
     "a@h1",
     {"5 fails h2 2", "5 fails h3 2", "10 power h1 off"},
     90,
     "a@h2 a@h3 a@h2 a@h3 a@h2",
     "a@h2",
     {"a is not restarted: failed", "br7"}},
    {"TheLockOutlivesItsHost",
     3,
     "a@h1",
     {"5 outlives 40", "10 power h1 off"},
     120,
     "a@h2 a@h3 a@h2 a@h3 a@h2 a@h3 a@h2",
     "a@h2",
     {"\"write\" lock"}},
    {"MoreThanHalfDie",
     3,
     "a@h1 b@h2 c@h3",
     {"10 power h1 off", "10 power h2 off", "60 confirm h1", "61 confirm h2"},
     120,
     "a@h3 b@h3",
     "a@h3 b@h3 c@h3",
     {"2 of 3 hosts are silent"}},
    {"TheManagerDiesAfterTheFence",
     3,
     "a@h1",
     {"10 power h1 off", "13 manager off", "60 manager on"},
     120,
     "a@h2",
     "a@h2",
     {}},
    // --- power switches ---
    {"TheSwitchIsDeafForAWhile",
     3,
     "a@h1",
     {"5 bmc h1 deaf", "10 power h1 off", "100 bmc h1 well"},
     240,
     "a@h2",
     "a@h2",
     {"h1 is NOT fenced, a person is needed"}},
    {"TheSwitchIsDeafAndAPersonConfirms",
     3,
     "a@h1",
     {"5 bmc h1 deaf", "10 power h1 off", "130 confirm h1"},
     200,
     "a@h2",
     "a@h2",
     {"h1 is NOT fenced, a person is needed"}},
    {"TheSwitchLies",
     3,
     "a@h1",
     {"5 bmc h1 lies", "10 net h1 off", "10 storage h1 off"},
     200,
     "",
     "a@h1(off)",
     {"h1 is NOT fenced, a person is needed", "read back on"}},
    // --- the store ---
    {"TheStoreIsLockedFor20Seconds",
     3,
     "a@h1 b@h1",
     {"10 power h1 off", "12 store locked", "32 store well"},
     90,
     "a@h2 b@h3",
     "a@h2 b@h3",
     {}},
    {"TheStoreIsLockedInTheRecovery",
     3,
     "a@h1 b@h1",
     {"10 power h1 off", "13.2 store locked", "33 store well"},
     90,
     "a@h2 b@h3",
     "a@h2 b@h3",
     {"trying again"}},
    {"TheStoreIsReadOnlyInAStart",
     3,
     "a@h1 b@h1 c@h1",
     {"10 power h1 off", "13.6 store readonly", "40 store well"},
     90,
     "a@h2 b@h3 c@h2",
     "a@h2 b@h3 c@h2",
     {"read-only; trying again"}},
    {"TheStoreIsReadOnlyAfterAStart",
     3,
     "a@h1 b@h1 c@h1",
     {"10 power h1 off", "15 store readonly", "40 store well"},
     90,
     "a@h2 b@h3 c@h2",
     "a@h2 b@h3 c@h2",
     {"read-only; trying again"}},
    // --- networks ---
    {"AllNetworksAreLost",
     3,
     "a@h1 b@h2 c@h3",
     {"10 net all off", "130 net all on"},
     200,
     "",
     "a@h1 b@h2 c@h3",
     {"3 of 3 hosts are silent"}},
    {"TheStorageIsLostForTheWatcher",
     3,
     "a@h1",
     {"10 watcher-storage off", "20 power h1 off", "60 watcher-storage on"},
     120,
     "a@h2",
     "a@h2",
     {}},
    {"TheStorageIsPausedForAll",
     3,
     "a@h1 b@h2",
     {"10 storage all off", "10 watcher-storage off", "52 storage all on", "52 watcher-storage on"},
     120,
     "",
     "a@h1 b@h2",
     {}},
    // --- disarmed ---
    {"NothingIsHealedWhileItIsDisarmed", 3, "a@h1 b@h2", {"5 disarm 3600", "10 power h1 off", "20 end b crashed"}, 300, "", "b@h2(off)", {"h1 is NOT fenced", "b is not restarted: refused: the cluster is disarmed since", "(by ann)", "new switches"}},
    {"ItIsHealedWhenItIsArmed", 3, "a@h1 b@h2", {"5 disarm 3600", "10 power h1 off", "20 end b crashed", "120 arm"}, 180, "a@h3 b@h2", "a@h3 b@h2", {"the cluster is disarmed since"}},
    {"DisarmingEndsByItself", 3, "a@h1 b@h2", {"5 disarm 115", "10 power h1 off"}, 180, "a@h3", "a@h3 b@h2", {"the cluster is disarmed since"}},
    {"AHostThatReturnsWhileItIsDisarmedIsLeftAlone", 3, "a@h1", {"5 disarm 3600", "10 net h1 off", "10 storage h1 off", "30 net h1 on", "30 storage h1 on", "60 arm"}, 120, "", "a@h1", {"the cluster is disarmed since"}},
    // --- guests ---
    {"AGuestThatDiesIsStartedWhereItWas", 3, "a@h1", {"20 end a crashed"}, 60, "a@h1", "a@h1", {}},
    {"AGuestThatIsStoppedStaysStopped", 3, "a@h1", {"20 end a shutdown"}, 90, "", "a@h1(off)", {}},
    {"AGuestThatDiesAgainAndAgain",
     3,
     "a@h1",
     {"20 end a crashed", "60 end a crashed", "120 end a crashed", "240 end a crashed", "400 end a crashed"},
     500,
     "a@h1 a@h1 a@h2 a@h1",
     "a@h1(off)",
     {"a person has to look"}},
    {"AGuestDiesWhileALibvirtdHangs",
     3,
     "a@h1 b@h2",
     {"15 libvirtd h1 off", "20 end b crashed", "80 libvirtd h1 on"},
     120,
     "b@h2",
     "a@h1 b@h2",
     {"h1 does not answer and is not fenced"}},
    // --- life returns ---
    {"AHostIsTakenBack",
     3,
     "a@h1",
     {"10 power h1 off", "60 unfence h1", "130 clear h1"},
     200,
     "a@h2",
     "a@h2",
     {}},
    {"AHostThatReturnsIsNoPlaceBeforeItIsCleared",
     3,
     "a@h1 b@h2",
     {"10 power h1 off", "60 unfence h1", "120 end b crashed"},
     200,
     "a@h3 b@h2",
     "a@h1(off)+h3 b@h2",
     {}},
    {"AllOffAndOn",
     3,
     "a@h1 b@h2 c@h3",
     {"20 power all off", "20 manager off", "100 power all on", "110 manager on"},
     240,
     "a@h1 b@h2 c@h3",
     "a@h1 b@h2 c@h3",
     {}},
    {"TheHostsGoOffAndOnAndTheManagerDoesNot",
     4,
     "a@h1 b@h2 c@h3 d@h4",
     {"20 power all off", "100 power h1 on", "100 power h2 on", "110 power h3 on", "130 power h4 on"},
     300,
     "a@h1 b@h2 c@h3 d@h4",
     "a@h1 b@h2 c@h3 d@h4",
     {"4 of 4 hosts are silent"}},
    {"OneDoesNotComeBackAfterTheStorm",
     4,
     "a@h1 b@h2 c@h3 d@h4",
     {"20 power all off", "100 power h1 on", "100 power h2 on", "110 power h3 on"},
     400,
     "a@h1 b@h2 c@h3 d@h1",
     "a@h1 b@h2 c@h3 d@h1",
     {"4 of 4 hosts are silent"}},
};

INSTANTIATE_TEST_SUITE_P(Night, Scenarios, testing::ValuesIn(kScenarios),
                         [](const auto& scenario) { return std::string(scenario.param.name); });

}  // namespace
}  // namespace rackline::ha::night
