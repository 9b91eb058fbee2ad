// SPDX-License-Identifier: Apache-2.0
#include "capacity/watch.h"

#include <algorithm>
#include <utility>

#include "base/interrupt.h"
#include "cluster/annotate.h"
#include "observe/asked.h"
#include "observe/options.h"
#include "usage/import.h"
#include "usage/rounds.h"
#include "virt/survey.h"

namespace rackline::capacity {
namespace {

constexpr std::uint16_t kPort = 9750;

std::vector<record::Host> chosen_hosts(std::vector<record::Host> all, const std::vector<std::string>& names) {
  return observe::chosen(std::move(all), names, &record::Host::host, "host");
}

// Writes rounds, and what follows from them.
class Writer {
 public:
  Writer(cli::Program& program, const WatchOptions& options)
      : program_(program),
        server_(observe::serve_metrics(program, options.listen, kPort)),
        rounds_(wanted(options)) {}

  template <class Sample>
  void sample(Sample sample) {
    if (sample.tool.empty()) sample.tool = program_.about().name;
    if (sample.time == record::Time{}) sample.time = program_.clock().wall();
    rounds_.add(sample);
    program_.out().write(std::move(sample));
  }

  // `round` has samples and an end, as those that are replayed and imported.
  template <class Round>
  void round(Round& round) {
    usage::by_host(
        round.hosts, round.vms, [&](auto& host) { sample(std::move(host)); },
        [&](auto& vm) { sample(std::move(vm)); });
    end_round(round.end, round.at);
  }

  void end_round(record::RoundEnd end, Milliseconds at) {
    if (end.tool.empty()) end.tool = program_.about().name;
    auto round = rounds_.end_round(end, at);
    for (const auto& doubt : round.doubts) program_.warn("watch the usage: " + doubt);
    for (auto& usage : round.hosts) program_.out().write(std::move(usage));
    for (auto& usage : round.vms) program_.out().write(std::move(usage));
    for (auto& fluctuation : round.fluctuations) program_.out().write(std::move(fluctuation));
    auto& summary = program_.summary<record::WatchSummary>();
    summary.rounds = rounds_.rounds();
    summary.hosts = end.hosts;
    summary.hosts_up = end.hosts_up;
    summary.vms = end.vms;
    summary.fluctuations = rounds_.fluctuations();
    program_.out().write(std::move(end));
  }

  void finish() { rounds_.end(program_.clock().wall(), interrupt::requested() ? "interrupted" : "ok"); }

 private:
  usage::Rounds::Wanted wanted(const WatchOptions& options) {
    usage::Rounds::Wanted wanted{.windows = {}, .record = options.record, .metrics = {}};
    if (options.follow) wanted.windows = options.policy;
    if (server_) wanted.metrics = [this](std::string page) { server_->publish(std::move(page)); };
    return wanted;
  }

  cli::Program& program_;
  std::unique_ptr<net::PageServer> server_;
  usage::Rounds rounds_;
};

// One round; see observe::Observer.
bool look(cli::Program& program, virt::Survey& survey, cluster::Observed& states, Writer& writer,
          observe::Silence& silence, record::RoundEnd& end) {
  end.hosts = static_cast<std::int64_t>(survey.size());
  end.hosts_up = end.vms = 0;
  if (const auto why = states.read(program.clock().wall()); !why.empty()) {
    program.warn(why + "; no host is told to serve");
  }
  observe::InOrder<virt::Survey::Seen> seen(program.out().format() == cli::Format::kTable, [&](auto& one) {
    states.annotate(one.host);
    writer.sample(std::move(one.host));
    for (auto& vm : one.vms) writer.sample(std::move(vm));
  });
  const bool complete = survey.round([&](virt::Survey::Seen one) {
    if (one.host.state == "up") {
      ++*end.hosts_up;
    } else {
      silence.add(one.host.host, one.host.error.value_or(one.host.state));
    }
    *end.vms += static_cast<std::int64_t>(one.vms.size());
    seen.add(std::move(one));
  });
  seen.finish();
  if (complete) silence.end_round(*end.hosts, *end.hosts_up);
  return complete;
}

}  // namespace

// One round, or with --interval rounds until --count, a signal, or until nobody reads any more.
Status watch(cli::Program& program, const WatchOptions& options) {
  const auto timeout = program.timeout();
  const auto site = program.inventory();
  virt::Survey survey(
      chosen_hosts(site, options.hosts),
      {.timeout = timeout,
       .suspect_timeout = options.pace.repeats ? std::min(timeout, options.pace.interval * 4 / 5) : timeout,
       .window = options.pace.repeats ? std::min(options.window, options.pace.interval) : options.window},
      site);
  Writer writer(program, options);
  observe::Silence silence(program, "hosts");
  cluster::Observed states(program.store_url());
  bool answered = false;
  observe::rounds(
      program.clock(), options.pace,
      {.look = [&](record::RoundEnd& end) { return look(program, survey, states, writer, silence, end); },
       .close =
           [&](const record::RoundEnd& end, Milliseconds at) {
             writer.end_round(end, at);
             answered = answered || *end.hosts_up > 0;
           }});
  writer.finish();
  if (answered || interrupt::requested()) return Status::kDone;
  throw Error(Status::kUnreachable, "sample the hosts", "all " + std::to_string(survey.size()),
              "none of them answered");
}

// Rounds that were sampled at another time: the same stream as then, with what the windows make of it now.
Status replay(cli::Program& program, const WatchOptions& options) {
  series::check_times(options.replay);  // before anything is written of it
  const auto reader = program.file_reader(options.replay, record::Policy::kSkip);
  usage::Recording recording(*reader, options.replay == "-" ? "stdin" : options.replay, options.hosts,
                             [&](const std::string& text) { program.warn(text); });
  Writer writer(program, options);
  usage::Recording::Round round;
  while (recording.next(round)) writer.round(round);
  return Status::kDone;
}

Status import(cli::Program& program, const WatchOptions& options) {
  const std::string file = options.from.size() > 1 ? options.from[1] : "-";
  auto imported = usage::load(options.from[0], file, program.clock().wall(),
                              options.assumes ? std::optional(options.assumed_percent) : std::nullopt);
  for (const auto& note : imported.notes) program.note("import " + file + ": " + note);
  for (auto& rule : imported.rules) program.out().write(std::move(rule));
  Writer writer(program, options);
  for (auto& round : imported.rounds) writer.round(round);
  return Status::kDone;
}

Status list(cli::Program& program, const WatchOptions& options) {
  program.describes_itself();
  auto hosts = chosen_hosts(program.inventory(), options.hosts);
  std::vector<std::string> names;
  if (options.list == "hosts") {
    for (const auto& host : hosts) names.push_back(host.host);
  } else {
    virt::Survey survey(std::move(hosts), {program.timeout(), program.timeout(), options.window});
    const auto vms = survey.vm_names([&](const Error& error) { program.note(error.what()); });
    names.assign(vms.begin(), vms.end());
  }
  observe::print_names(names);
  return Status::kDone;
}

}  // namespace rackline::capacity
