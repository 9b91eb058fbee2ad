// SPDX-License-Identifier: Apache-2.0
// roadef-bench: an instance of the ROADEF/EURO 2012 machine reassignment problem, read into the model of
// plan/, searched, and judged by a checker that shares nothing with the search.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/fd.h"
#include "base/interrupt.h"
#include "cli/program.h"
#include "plan/reassign.h"
#include "roadef/checker.h"

namespace rackline {
namespace {

struct Options {
  std::string model, initial, out;
  double budget = 30;
  std::uint64_t seed = 0;
  bool check_only = false;
};

// Whole or not at all: it is written beside its place and then renamed.
void write_assignment(const std::string& path, const std::vector<int>& assignment) {
  std::string text;
  for (const int machine : assignment) text += (text.empty() ? "" : " ") + std::to_string(machine);
  text += "\n";
  // A device or a pipe is not to be replaced by a file.
  struct stat about = {};
  const bool direct = stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode);
  const std::string fresh = direct ? path : path + ".new";
  {
    const Fd file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!file) throw system_error(Status::kUnreachable, "write", fresh);
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t put = write(file.get(), text.data() + done, text.size() - done);
      if (put < 0 && errno != EINTR) throw system_error(Status::kUnreachable, "write", fresh);
      if (put > 0) done += static_cast<std::size_t>(put);
    }
  }
  if (!direct && rename(fresh.c_str(), path.c_str()) != 0) {
    throw system_error(Status::kUnreachable, "write", path);
  }
}

void print(const char* what, std::int64_t number) {
  std::printf("%-14s %20lld\n", what, static_cast<long long>(number));
}

int report(const bench::Verdict& verdict) {
  print("cost", verdict.cost());
  print("load", verdict.load_cost);
  print("balance", verdict.balance_cost);
  print("process moves", verdict.process_cost);
  print("service moves", verdict.service_cost);
  print("machine moves", verdict.machine_cost);
  std::printf("%-14s %20s\n", "valid", verdict.valid() ? "yes" : "no");
  for (const auto& text : verdict.broken) std::printf("broken: %s\n", text.c_str());
  return verdict.valid() ? 0 : 1;
}

Status run(cli::Program& program, const Options& options, Milliseconds begin) {
  program.describes_itself();
  const bench::Instance instance = bench::read_instance(options.model);
  const std::vector<int> initial = bench::read_assignment(options.initial, instance);
  const bench::Verdict before = bench::check(instance, initial, initial);
  if (options.check_only) {
    const auto verdict = bench::check(instance, initial, bench::read_assignment(options.out, instance));
    return report(verdict) == 0 ? Status::kDone : Status::kNo;
  }
  if (!before.valid()) {
    throw Error(Status::kUsage, "search from", options.initial, before.broken.front(),
                "the challenge's starts are valid");
  }
  // What is there now is an answer as well, whatever happens.
  write_assignment(options.out, initial);

  const plan::Model model = bench::to_model(instance, initial);
  const auto gone = [&] {
    return std::chrono::duration<double>(program.clock().monotonic() - begin).count();
  };
  const double from = gone();
  // Checking and writing take less than reading did.
  const double to = std::max(from, options.budget - 0.02 - 0.2 * from);
  plan::ReassignLimits limits;
  limits.seed = options.seed;
  limits.elapsed = [&] {
    if (interrupt::requested() || to <= from) return 1.0;
    return std::min(1.0, (gone() - from) / (to - from));
  };
  double first = -1;
  limits.watch = [&](std::int64_t cost) {
    if (first < 0 && cost < before.cost()) first = gone();
  };
  const plan::Reassigned found = plan::reassign(model, limits);
  const bench::Verdict verdict = bench::check(instance, initial, found.placement);
  if (!verdict.valid()) {
    // The search is wrong: then the start stays what it is.
    report(verdict);
    return Status::kNo;
  }
  write_assignment(options.out, found.placement);
  print("start", before.cost());
  report(verdict);
  print("trials", found.trials);
  std::printf("%-14s %20.2f\n", "first better", first);
  std::printf("%-14s %20.2f\n", "seconds", gone());
  return Status::kDone;
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  const Milliseconds begin = system_clock().monotonic();
  cli::Program program(
      {.name = "roadef-bench",
       .nature = cli::Nature::kFilter,
       .summary = "search an instance of the ROADEF/EURO 2012 machine reassignment problem",
       .description = "Writes the best assignment that is found within the budget, and prints its cost and "
                      "whether it is valid, both by a checker that shares nothing with the search.",
       .examples = {
           {"roadef-bench --model model_a1_1.txt --initial assignment_a1_1.txt --budget 30 --out new.txt",
            "half a minute, reading included"},
           {"roadef-bench --model model_a1_1.txt --initial assignment_a1_1.txt --check --out new.txt",
            "only judge what is there"}}});
  Options options;
  auto& at = program.options();
  const auto file = [&](const char* flag, std::string& value, const char* about) {
    at.text(flag, value, about, "FILE").required().offers(cli::Values::kFiles);
  };
  file("--model", options.model, "the instance");
  file("--initial", options.initial, "where the processes are");
  file("--out", options.out, "where they should be");
  at.number("--budget", options.budget, "seconds until it is done, reading included",
            {.least = 0, .most = 1e6}, "SECONDS")
      .shows_default();
  at.number("--seed", options.seed, "search otherwise").shows_default();
  at.flag("--check", options.check_only, "only judge the assignment in --out");
  return program.run(argc, argv, [&] { return run(program, options, begin); });
}
