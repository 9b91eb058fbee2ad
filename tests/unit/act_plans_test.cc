// SPDX-License-Identifier: Apache-2.0
#include "act/plans.h"
#include "record/kinds_migration.h"
#include "record_support.h"

namespace rackline::act {
namespace {

constexpr const char* kHead = R"("time":"2026-11-22T12:00:00Z","tool":"t")";

std::string move(const std::string& vm) {
  return R"({"kind":"vm_move",)" + std::string(kHead) + R"(,"id":"1","vm":")" + vm +
         R"(","from":"h1","to":"h2","stage":1,"reason":"r"})" + "\n";
}
std::string other(const std::string& kind, const std::string& fields) {
  return R"({"kind":")" + kind + R"(",)" + kHead + "," + fields + "}\n";
}
const std::string kRoundEnd =
    other("round_end", R"("round":1,"hosts":1,"hosts_up":1,"vms":1,"elapsed_ms":1)");

// "a b|c": the plans in the order in which they are whole; behind "+" what is left for the caller.
std::string plans_of(const std::string& text, int* passed = nullptr) {
  record::Stream stream(text);
  std::string plans;
  const auto add = [&plans](const std::vector<record::VmMove>& plan) {
    for (const auto& move : plan) plans += (plans.empty() || plans.ends_with('|') ? "" : " ") + move.vm;
  };
  const auto last = whole_plans<record::VmMove>(
      stream.reader,
      [&](const auto& plan) {
        add(plan);
        plans += '|';
      },
      [&](record::Reader&) { passed == nullptr ? 0 : ++*passed; });
  plans += '+';
  for (const auto& move : last) plans += move.vm;
  return plans;
}

TEST(WholePlans, EndWithTheirRound) {
  EXPECT_EQ(plans_of(move("a") + move("b") + kRoundEnd + move("c") + kRoundEnd), "a b|c|+");
}

TEST(WholePlans, TheLastOneIsTheCallers) {
  EXPECT_EQ(plans_of(move("a") + kRoundEnd + move("b")), "a|+b");
  EXPECT_EQ(plans_of(""), "+");
}

TEST(WholePlans, ARoundWithoutDecisionsIsNoPlan) {
  EXPECT_EQ(plans_of(kRoundEnd + kRoundEnd + move("a") + kRoundEnd), "a|+");
}

TEST(WholePlans, HandOnEverythingElse) {
  int passed = 0;
  plans_of(move("a") + other("balance_check", R"("balanced":true)") + kRoundEnd, &passed);
  EXPECT_EQ(passed, 2);
}

}  // namespace
}  // namespace rackline::act
