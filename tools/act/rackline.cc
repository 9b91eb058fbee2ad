// SPDX-License-Identifier: Apache-2.0
// rackline: what is believed of the hosts, and the verbs that take several programs: drain, undrain.
#include <filesystem>
#include <thread>

#include "base/id.h"
#include "base/interrupt.h"
#include "base/person.h"
#include "cli/program.h"
#include "cluster/announce.h"
#include "cluster/disarm.h"
#include "cluster/drain.h"
#include "proc/child.h"
#include "record/kinds_cluster.h"
#include "record/kinds_migration.h"
#include "record/kinds_planning.h"

namespace rackline {
namespace {

struct Options {
  cluster::DrainRequest request;
  std::string until;
};

Status hosts(cli::Program& program) {
  const auto store = store::Store::open(program.store_url());
  const auto now = program.clock().wall();
  bool all = true;
  if (const auto why = cluster::disarmed(*store, now); !why.empty()) {
    program.out().write(cluster::healing(*store, now));
    program.warn(why);
  }
  for (const auto& host : program.inventory()) {
    const auto status = cluster::host_status(*store, host, now);
    program.out().write(cluster::record_of(status));
    all = all && status.serves();
  }
  program.end().outcome = "ok";  // all were told; what they come to is the exit status
  return all ? Status::kDone : Status::kNo;
}

// The program of that name beside this one, with the same inventory and store.
cluster::Drain::Ran run_beside(cli::Program& program, std::vector<std::string> argv,
                               const std::string& input) {
  const std::string name = argv.front();
  argv.front() = (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
  if (name != "capplan")
    argv.insert(argv.begin() + 1, {"--inventory", program.inventory_file(), "--store", program.store_url()});
  argv.insert(argv.begin() + 1, {"--output", "json"});
  // The others are over within seconds; a migrate may be in the middle of the memory of a large server.
  const auto stop = name == "migrate" ? proc::Stop::kHandOn : proc::Stop::kWaitForIt;
  const auto finished =
      proc::run(argv, input, std::chrono::hours{24}, proc::Leavers::kSpare, proc::Environment::kWhole, stop);
  return {finished.status, finished.out, finished.err};
}

// What capplan and migrate wrote. A table has rows of the kinds that it knows.
void pass(cli::Program& program, record::Reader& reader) {
  if (program.out().format() == cli::Format::kJson) return program.out().pass(reader);
  const auto row = [&](auto record) {
    if (reader.is<decltype(record)>() && reader.read(record)) program.out().write(std::move(record));
  };
  row(record::VmMove());
  row(record::VmMoved());
  row(record::VmUnplaced());
}

Status drain(cli::Program& program, Options& options) {
  const auto begun = program.clock().monotonic();
  if (!options.until.empty())
    options.request.until = cluster::parse_until(options.until, program.clock().wall());
  options.request.by = this_person();
  options.request.dry_run = program.dry_run();
  const auto store = store::Store::open(program.store_url());
  std::vector<std::string> names;
  for (const auto& host : program.inventory()) names.push_back(host.host);
  cluster::Drain drain(
      {.store = *store,
       .clock = program.clock(),
       .hosts = std::move(names),
       .run = [&](const auto& argv, const auto& input) { return run_beside(program, argv, input); },
       .stopping = interrupt::requested,
       .sleep = [](Milliseconds time) { std::this_thread::sleep_for(time); },
       .pass = [&](record::Reader& reader) { pass(program, reader); }});
  const auto report = drain.run(options.request);
  using Outcome = cluster::DrainReport::Outcome;
  record::HostDrained record;
  record.id = random_id();
  record.host = options.request.host;
  record.outcome =
      program.dry_run() && report.outcome == Outcome::kDone ? "planned" : name_of(report.outcome);
  record.moved = report.moved;
  record.rounds = report.rounds;
  if (!report.left.empty()) record.left = report.left;
  if (!report.reason.empty()) record.reason = report.reason;
  if (program.dry_run()) record.planned = true;
  record.elapsed_ms = (program.clock().monotonic() - begun).count();
  program.out().write(record);
  if (!report.reason.empty()) program.warn("drain: " + record.host + ": " + report.reason);
  switch (report.outcome) {
    case Outcome::kDone:
    case Outcome::kAlready:
      return Status::kDone;
    case Outcome::kRefused:
      return Status::kRefused;
    case Outcome::kUnreachable:
      return Status::kUnreachable;
    default:
      return Status::kNo;
  }
}

// Takes the marks of a person away; what fence has marked is taken back by failover clear.
Status undrain(cli::Program& program, const std::string& host) {
  const auto inventory = program.inventory();
  if (std::none_of(inventory.begin(), inventory.end(), [&](const auto& known) { return known.host == host; }))
    throw Error(Status::kUsage, "undrain", host, "it is not in the inventory");
  const auto store = store::Store::open(program.store_url());
  if (program.dry_run()) return Status::kDone;
  cluster::remove_drain(*store, host);
  cluster::remove_maintenance(*store, host);
  const auto known =
      std::find_if(inventory.begin(), inventory.end(), [&](const auto& one) { return one.host == host; });
  const auto status = cluster::host_status(*store, *known, program.clock().wall());
  program.out().write(cluster::record_of(status));
  if (status.serves()) return Status::kDone;
  throw Error(Status::kNo, "undrain", host, cluster::why_not(status));
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "rackline",
       .nature = cli::Nature::kAct,
       .summary = "tell what is believed of the hosts, empty one, and let it serve again",
       .examples = {{"rackline hosts", "which hosts take virtual servers, and why the others do not"},
                    {"rackline drain h3 --reason 'new fans'", "empty h3, then it is in maintenance"},
                    {"rackline -n drain h3", "what would be moved"},
                    {"rackline undrain h3", "h3 takes virtual servers again"}}});
  Options options;
  program.takes_inventory();
  program.takes_store();
  program.takes_dry_run();
  auto& at = program.options();
  at.command("hosts", "the state of every host; exit 1 if one does not serve",
             [&] { return hosts(program); });
  auto draining = at.command("drain", "move every virtual server off a host; then it is in maintenance",
                             [&] { return drain(program, options); });
  draining.operand("HOST", options.request.host, "host that is to be emptied")
      .required()
      .offers(cli::Values::kHosts);
  draining.text("--until", options.until, "it serves again from this time on, or after so long",
                "TIME|DURATION");
  draining.text("--reason", options.request.reason, "why, for whoever asks", "TEXT");
  draining.flag("--force", options.request.force,
                "also when that moves more of the fleet than capplan allows at once");
  at.command("undrain", "let a drained host serve again",
             [&] { return undrain(program, options.request.host); })
      .operand("HOST", options.request.host, "host that serves again")
      .required()
      .offers(cli::Values::kHosts);
  return program.run(argc, argv);
}
