// SPDX-License-Identifier: Apache-2.0
// capwatch: what every host and virtual server has, has given away and uses, as rounds of records.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "base/interrupt.h"
#include "cli/program.h"
#include "virt/survey.h"

namespace rackline {
namespace {

struct Options {
  std::vector<std::string> hosts;
  Milliseconds interval{0}, window{1000};
  std::int64_t count = 0;
  std::string list;
};

std::vector<record::Host> chosen_hosts(cli::Program& program, const std::vector<std::string>& names) {
  std::vector<record::Host> all = program.inventory();
  if (names.empty()) return all;
  for (const std::string& name : names) {
    if (std::none_of(all.begin(), all.end(), [&](const auto& host) { return host.host == name; })) {
      throw Error(Status::kUsage, "choose the hosts", name, "the inventory has no such host");
    }
  }
  std::erase_if(all,
                [&](const auto& host) { return std::count(names.begin(), names.end(), host.host) == 0; });
  return all;
}

Status list(cli::Program& program, const Options& options) {
  program.describes_itself();
  auto hosts = chosen_hosts(program, options.hosts);
  if (options.list == "hosts") {
    for (const auto& host : hosts) std::cout << host.host << '\n';
  } else {
    virt::Survey survey(std::move(hosts), {program.timeout(), program.timeout(), options.window});
    for (const auto& name : survey.vm_names([&](const Error& error) { program.note(error.what()); })) {
      std::cout << name << '\n';
    }
  }
  if (!std::cout.flush()) throw system_error(Status::kUnreachable, "write", "stdout");
  return Status::kDone;
}

// False when it was interrupted: then there is no round_end, and nobody decides on half a round.
bool round(cli::Program& program, virt::Survey& survey, record::RoundEnd& end) {
  const auto started = program.clock().monotonic();
  end.hosts = static_cast<std::int64_t>(survey.size());
  end.hosts_up = end.vms = 0;
  const auto write = [&](virt::Survey::Seen& seen) {
    program.out().write(std::move(seen.host));
    for (auto& vm : seen.vms) program.out().write(std::move(vm));
  };
  // A table is for people and in the inventory's order; a stream has each host as it answers.
  const bool table = program.out().format() == cli::Format::kTable;
  std::vector<virt::Survey::Seen> held;
  const bool complete = survey.round([&](virt::Survey::Seen seen) {
    if (seen.host.state == "up") ++*end.hosts_up;
    *end.vms += static_cast<std::int64_t>(seen.vms.size());
    if (table) {
      held.push_back(std::move(seen));
    } else {
      write(seen);
    }
  });
  std::sort(held.begin(), held.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
  for (auto& seen : held) write(seen);
  if (!complete) return false;
  end.elapsed_ms = (program.clock().monotonic() - started).count();
  program.out().write(end);
  return true;
}

// One round without --interval, else rounds until --count, a signal, or until nobody reads any more.
Status watch(cli::Program& program, const Options& options) {
  const bool once = options.interval <= Milliseconds{0};
  const auto timeout = program.timeout();
  virt::Survey survey(chosen_hosts(program, options.hosts),
                      {.timeout = timeout,
                       .suspect_timeout = once ? timeout : std::min(timeout, options.interval * 4 / 5),
                       .window = once ? options.window : std::min(options.window, options.interval)});
  auto next = program.clock().monotonic();
  bool answered = false;
  record::RoundEnd end;
  for (end.round = 1; round(program, survey, end); ++end.round) {
    program.end().rounds = end.round;
    answered = answered || *end.hosts_up > 0;
    if (once || end.round == options.count) break;
    // On the grid of the start, so that rounds do not drift; those that a slow one missed are left out.
    const auto now = program.clock().monotonic();
    while (next <= now) next += options.interval;
    if (interrupt::wait_until(program.clock(), next, true) != interrupt::Woken::kTime) break;
  }
  if (answered || interrupt::requested()) return Status::kDone;
  throw Error(Status::kUnreachable, "sample the hosts", "all " + std::to_string(survey.size()),
              "none of them answered");
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "capwatch",
       .nature = cli::Nature::kObserve,
       .summary = "sample the capacity and the use of every host and virtual server",
       .description = "A host that cannot be reached, or hangs, is a record too and delays no other.",
       .examples = {{"capwatch", "one round, as a table"},
                    {"capwatch | capplan balance | migrate", "even out the load"},
                    {"capwatch --interval 10s h1 h2", "follow two hosts"},
                    {"capwatch >night.jsonl", "keep the facts of a bad night"}}});
  Options options;
  auto& app = program.app();
  program.takes_inventory();
  // The first answer of a libvirtd that has just started takes seconds: it asks every emulator what it can
  // do.
  program.takes_timeout(Milliseconds{10'000});
  auto* interval =
      program.duration(app, "-i,--interval", options.interval, "sample again and again, this far apart");
  interval->default_str("");
  app.add_option("-c,--count", options.count, "end after N rounds")
      ->type_name("N")
      ->needs(interval)
      ->check([count = &options.count](const std::string& given) -> std::string {
        return CLI::detail::lexical_cast(given, *count) && *count > 0 ? "" : "expected a number from 1";
      });
  program.duration(app, "--window", options.window,
                   "rates of a host not seen before: time between two samples");
  program.choice(app, "--list", options.list, {"hosts", "vms"},
                 "print their names, one a line, and nothing else");
  program.completes(app.add_option("HOST", options.hosts, "only these hosts of the inventory")->type_name(""),
                    cli::Program::Values::kHosts);

  return program.run(argc, argv, [&] {
    program.leaves_threads_behind();
    if (interval->count() > 0 && options.interval <= Milliseconds{0}) {
      throw Error(Status::kUsage, "read the command line", "--interval", "0 is no interval");
    }
    return options.list.empty() ? watch(program, options) : list(program, options);
  });
}
