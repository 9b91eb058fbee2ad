// SPDX-License-Identifier: Apache-2.0
#include "failover/options.h"

#include <map>
#include <ranges>

#include "base/error.h"
#include "base/joined.h"

namespace rackline::failover {
namespace {

// The wishes that can be taken away again, and whether each is given.
std::map<std::string, bool> given(const Wishes& wishes) {
  return {{"after", !wishes.after.empty()},
          {"anti-affinity", wishes.anti_affinity.has_value()},
          {"check", wishes.check.has_value()},
          {"failback", wishes.affinity.failback},
          {"only", wishes.affinity.only},
          {"prefer", !wishes.affinity.prefer.empty()},
          {"together", wishes.affinity.together.has_value()}};
}

[[noreturn]] void misused(const std::string& what, const std::string& why) {
  throw Error(Status::kUsage, "read the command line", what, why);
}

}  // namespace

void check_protect(Options& options) {
  auto& wishes = options.wishes;
  if (!options.standing.empty()) wishes.standing = options.standing == "on";
  if (wishes.vms.empty() && !wishes.all && wishes.standing != false)
    misused("protect", "expected virtual servers, or --all");
  if (wishes.standing == true && !wishes.all) misused("protect", "--standing goes with --all");
  if (!wishes.except.empty() && !wishes.all) misused("protect", "--except goes with --all");
  const auto wished = given(wishes);
  for (const auto& wish : wishes.without) {
    const auto known = wished.find(wish);
    if (known == wished.end()) misused("--without", "expected some of " + joined(std::views::keys(wished)));
    if (known->second) misused("--without", "--" + wish + " is given as well");
  }
}

void declare(cli::Options at, Options& options) {
  const auto limit = [&](const char* flag, int& value, double most, const char* about) {
    at.number(flag, value, about, {.least = 1, .most = most}).shows_default();
  };
  limit("--max-total", options.policy.max_total, 1000, "starts at one time in all");
  // libvirtd works on five requests of one client at a time, and looking is one.
  limit("--max-per-host", options.policy.max_per_host, 4, "starts at one time on one host");
  limit("--attempts", options.policy.attempts, 1000, "starts of one virtual server, each on another host");
  at.duration("--verify-timeout", options.policy.verify_timeout, "how long a start and its proof may take");
  at.flag("--resume", options.resume, "read nothing; finish the work of all hosts that are fenced");
}

void declare_protect(cli::Options at, Options& options) {
  auto& wishes = options.wishes;
  at.operands("VM", wishes.vms, "virtual servers").offers(cli::Values::kVms);
  at.number("--priority", wishes.priority, "restart priority, higher first");
  const auto name_of_something = [](const std::string& text) {
    return text.empty() ? "expected a name; --without takes one away" : "";
  };
  at.list("--after", wishes.after, "has to run before them; may be repeated", "VM")
      .checked(name_of_something)
      .offers(cli::Values::kVms);
  at.text("--anti-affinity", wishes.anti_affinity, "no two of this group on one host", "GROUP")
      .checked(name_of_something);
  at.comma_list("--prefer", wishes.affinity.prefer, "where they are to be, the best one first", "HOST,...")
      .offers(cli::Values::kHosts);
  at.flag("--only", wishes.affinity.only, "they are started on no other hosts than these");
  at.text("--together", wishes.affinity.together, "all of this group on one host", "GROUP")
      .checked(name_of_something);
  at.flag("--failback", wishes.affinity.failback,
          "failover failback moves them back to a better host that serves again");
  at.text("--check", wishes.check, "how they prove that they serve: tcp:ADDRESS:PORT or http://...", "CHECK")
      .checked([](const std::string& text) {
        return parse_check(text) ? "" : "expected tcp:ADDRESS:PORT or http://ADDRESS...";
      });
  std::vector<std::string> wish_names;
  for (const auto& [name, is_given] : given({})) wish_names.push_back(name);
  at.comma_list("--without", wishes.without, "take these wishes away again, such as after or check",
                "WISH,...")
      .offers(wish_names);
  at.flag("--all", wishes.all, "every virtual server of every host");
  at.list("--except", wishes.except, "with --all: not this one; may be repeated", "VM")
      .offers(cli::Values::kVms);
  at.choice("--standing", options.standing, {"on", "off"},
            "with --all: and each that comes later, until --standing off")
      .may_lack_value("on");
}

}  // namespace rackline::failover
