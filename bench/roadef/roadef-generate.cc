// SPDX-License-Identifier: Apache-2.0
// roadef-generate: instances like the challenge's large ones, in its format.
#include <fstream>

#include "cli/program.h"
#include "roadef/generator.h"

namespace rackline {
namespace {

template <class Numbers>
void line(std::ostream& out, const Numbers& numbers) {
  for (const auto& number : numbers) out << number << ' ';
}

void write(const bench::Generated& made, const std::string& model, const std::string& initial) {
  const bench::Instance& instance = made.instance;
  std::ofstream out(model);
  out << instance.resources.size() << '\n';
  for (const auto& resource : instance.resources) out << resource.transient << ' ' << resource.weight << '\n';
  out << instance.machines.size() << '\n';
  for (std::size_t m = 0; m < instance.machines.size(); ++m) {
    const auto& machine = instance.machines[m];
    out << machine.neighbourhood << ' ' << machine.location << ' ';
    line(out, machine.capacities);
    line(out, machine.safeties);
    for (std::size_t to = 0; to < instance.machines.size(); ++to) {
      out << instance.distances[m * instance.machines.size() + to] << ' ';
    }
    out << '\n';
  }
  out << instance.services.size() << '\n';
  for (const auto& service : instance.services) {
    out << service.spread << ' ' << service.needs.size() << ' ';
    line(out, service.needs);
    out << '\n';
  }
  out << instance.processes.size() << '\n';
  for (const auto& process : instance.processes) {
    out << process.service << ' ';
    line(out, process.requirements);
    out << process.move_cost << '\n';
  }
  out << instance.balances.size() << '\n';
  for (const auto& balance : instance.balances) {
    out << balance.first << ' ' << balance.second << ' ' << balance.target << '\n' << balance.weight << '\n';
  }
  out << instance.process_weight << ' ' << instance.service_weight << ' ' << instance.machine_weight << '\n';
  if (!out.flush()) throw Error(Status::kUnreachable, "write", model, "it cannot be written");
  std::ofstream assignment(initial);
  line(assignment, made.initial);
  assignment << '\n';
  if (!assignment.flush()) throw Error(Status::kUnreachable, "write", initial, "it cannot be written");
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "roadef-generate",
       .nature = cli::Nature::kFilter,
       .summary = "make an instance of the machine reassignment problem",
       .description = "Writes an instance and a valid start in the challenge's format.",
       .examples = {
           {"roadef-generate --machines 1000 --processes 50000 --model m --initial a", "a large one"}}});
  bench::Shape shape;
  std::string model, initial;
  std::uint64_t seed = 1;
  auto& at = program.options();
  at.text("--model", model, "where the instance goes", "FILE").required();
  at.text("--initial", initial, "where its start goes", "FILE").required();
  const auto count = [&](const char* flag, int& value, const char* text) {
    at.number(flag, value, text, {.least = 0, .most = 1'000'000}).shows_default();
  };
  count("--machines", shape.machines, "machines");
  count("--processes", shape.processes, "processes");
  count("--resources", shape.resources, "resources");
  count("--transients", shape.transients, "of them transient");
  count("--services", shape.services, "services, at least");
  count("--locations", shape.locations, "locations");
  count("--neighbourhoods", shape.neighbourhoods, "neighbourhoods");
  count("--dependencies", shape.dependencies, "dependencies, at most");
  count("--balances", shape.balances, "balance costs");
  at.number("--fullness", shape.fullness, "share of the capacities that is used", {.least = 0.05, .most = 1})
      .shows_default();
  at.number("--seed", seed, "make another").shows_default();
  return program.run(argc, argv, [&] {
    program.describes_itself();
    write(bench::generate(shape, seed), model, initial);
    return Status::kDone;
  });
}
