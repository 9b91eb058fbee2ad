// SPDX-License-Identifier: Apache-2.0
#include "roadef/instance.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>

#include "base/error.h"
#include "base/fd.h"

namespace rackline::bench {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 40;  // products with weights stay within 63 bits

// Whole numbers, separated by blanks.
class Numbers {
 public:
  Numbers(const std::string& text, const std::string& name) : text_(text), name_(name) {}

  // `what` is told when there is none, or one out of bounds.
  std::int64_t next(const char* what, std::int64_t least, std::int64_t most) {
    skip();
    std::int64_t number = 0;
    const char* end = text_.data() + text_.size();
    const auto [after, error] = std::from_chars(text_.data() + at_, end, number);
    ++count_;
    if (at_ == text_.size()) fail(what, "the file ends here");
    if (error != std::errc() || (after != end && !blank(*after))) fail(what, "no whole number");
    if (number < least || number > most) {
      fail(what, std::to_string(number) + " is not within " + std::to_string(least) + " to " +
                     std::to_string(most));
    }
    at_ = static_cast<std::size_t>(after - text_.data());
    return number;
  }
  int small(const char* what, std::int64_t least, std::int64_t most) {
    return static_cast<int>(next(what, least, most));
  }
  // How many follow. Each takes two bytes at least, so that a wild number allocates nothing wild.
  int many(const char* what, std::int64_t least) {
    const int number = small(what, least, std::numeric_limits<int>::max() - 1);
    if (static_cast<std::size_t>(number) > (text_.size() - at_) / 2 + 1) {
      fail(what, "the file is too short for " + std::to_string(number));
    }
    return number;
  }
  void end() {
    skip();
    if (at_ == text_.size()) return;
    ++count_;
    fail("the end", "there is more");
  }

 private:
  static bool blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
  void skip() {
    while (at_ < text_.size() && blank(text_[at_])) ++at_;
  }
  [[noreturn]] void fail(const char* what, const std::string& why) const {
    throw Error(Status::kUsage, "read", name_ + ", number " + std::to_string(count_) + " (" + what + ")",
                why);
  }

  const std::string& text_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::int64_t count_ = 0;
};

std::string contents(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw system_error(Status::kUsage, "read", path);
  std::string text;
  struct stat about = {};
  if (fstat(file.get(), &about) == 0 && about.st_size > 0) {
    text.reserve(static_cast<std::size_t>(about.st_size) + 1);
  }
  std::vector<char> buffer(std::size_t{1} << 20);
  for (;;) {
    const ssize_t got = read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;  // whoever asks for a stop gets an answer first
    if (got < 0) throw system_error(Status::kUsage, "read", path);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

Instance parse_instance(const std::string& text, const std::string& name) {
  Numbers in(text, name);
  Instance instance;
  const int resources = in.many("count of resources", 1);
  for (int r = 0; r < resources; ++r) {
    const bool transient = in.next("transient", 0, 1) == 1;
    instance.resources.push_back({transient, in.next("load cost weight", 0, kMost)});
  }
  const auto amounts = [&](std::vector<std::int64_t>& values, const char* what) {
    values.reserve(instance.resources.size());
    for (int r = 0; r < resources; ++r) values.push_back(in.next(what, 0, kMost));
  };
  const int machines = in.many("count of machines", 1);
  constexpr int kInt = std::numeric_limits<std::int32_t>::max();
  for (int m = 0; m < machines; ++m) {
    Instance::Machine machine;
    machine.neighbourhood = in.small("neighbourhood", 0, kInt - 1);
    machine.location = in.small("location", 0, kInt - 1);
    amounts(machine.capacities, "capacity");
    amounts(machine.safeties, "safety capacity");
    for (int to = 0; to < machines; ++to)
      instance.distances.push_back(in.small("machine move cost", 0, kInt));
    instance.machines.push_back(std::move(machine));
  }
  const int services = in.many("count of services", 0);
  for (int s = 0; s < services; ++s) {
    Instance::Service service;
    service.spread = in.small("spread", 0, kInt);
    const int needs = in.many("count of dependencies", 0);
    for (int n = 0; n < needs; ++n) service.needs.push_back(in.small("dependency", 0, services - 1));
    instance.services.push_back(std::move(service));
  }
  const int processes = in.many("count of processes", 0);
  for (int p = 0; p < processes; ++p) {
    Instance::Process process;
    process.service = in.small("service", 0, services - 1);
    amounts(process.requirements, "requirement");
    process.move_cost = in.next("process move cost", 0, kMost);
    instance.processes.push_back(std::move(process));
  }
  const int balances = in.many("count of balance costs", 0);
  for (int b = 0; b < balances; ++b) {
    Instance::Balance balance;
    balance.first = in.small("first resource", 0, resources - 1);
    balance.second = in.small("second resource", 0, resources - 1);
    balance.target = in.next("target", 0, kInt);
    balance.weight = in.next("balance weight", 0, kMost);
    instance.balances.push_back(balance);
  }
  instance.process_weight = in.next("weight of process move costs", 0, kMost);
  instance.service_weight = in.next("weight of service move costs", 0, kMost);
  instance.machine_weight = in.next("weight of machine move costs", 0, kMost);
  in.end();
  return instance;
}

std::vector<int> parse_assignment(const std::string& text, const std::string& name,
                                  const Instance& instance) {
  Numbers in(text, name);
  std::vector<int> assignment;
  const auto last = static_cast<std::int64_t>(instance.machines.size()) - 1;
  for (std::size_t p = 0; p < instance.processes.size(); ++p) {
    assignment.push_back(in.small("machine", 0, last));
  }
  in.end();
  return assignment;
}

Instance read_instance(const std::string& path) {
  return parse_instance(contents(path), path);
}

std::vector<int> read_assignment(const std::string& path, const Instance& instance) {
  return parse_assignment(contents(path), path, instance);
}

plan::Model to_model(const Instance& instance, const std::vector<int>& initial) {
  std::vector<plan::Resource> resources;
  for (const auto& resource : instance.resources) {
    resources.push_back(
        {.name = "resource " + std::to_string(resources.size()), .transient = resource.transient});
  }
  plan::Model model(std::move(resources));
  const std::size_t count = instance.resources.size();
  // The numbers of places mean nothing but which are the same.
  const auto renumber = [&](auto member) {
    std::vector<int> all;
    for (const auto& machine : instance.machines) all.push_back(machine.*member);
    std::vector<int> known = all;
    std::sort(known.begin(), known.end());
    for (int& number : all) {
      number = static_cast<int>(std::lower_bound(known.begin(), known.end(), number) - known.begin());
    }
    return all;
  };
  const std::vector<int> domains = renumber(&Instance::Machine::location);
  const std::vector<int> neighbourhoods = renumber(&Instance::Machine::neighbourhood);
  std::vector<plan::Supply> supplies(count);
  for (std::size_t m = 0; m < instance.machines.size(); ++m) {
    const auto& machine = instance.machines[m];
    for (std::size_t r = 0; r < count; ++r) {
      supplies[r].size = machine.capacities[r];
      supplies[r].safety = machine.safeties[r];
      supplies[r].overload_cost = static_cast<double>(instance.resources[r].weight);
    }
    model.add_bin(supplies, plan::BinState::kOpen, domains[m], neighbourhoods[m]);
  }
  for (std::size_t s = 0; s < instance.services.size(); ++s) {
    model.add_group({.name = "service " + std::to_string(s),
                     .per_bin = 1,
                     .per_domain = 0,
                     .min_domains = instance.services[s].spread});
  }
  for (std::size_t s = 0; s < instance.services.size(); ++s) {
    for (const int on : instance.services[s].needs) model.add_dependency(static_cast<int>(s), on);
  }
  plan::Item item;
  item.demands.resize(count);
  for (std::size_t p = 0; p < instance.processes.size(); ++p) {
    const auto& process = instance.processes[p];
    for (std::size_t r = 0; r < count; ++r) {
      item.demands[r] = {process.requirements[r], process.requirements[r]};
    }
    item.start = initial[p];
    item.groups = {process.service};
    item.move_cost = static_cast<double>(instance.process_weight * process.move_cost);
    model.add_item(item);
  }
  for (const auto& balance : instance.balances) {
    model.add_balance({.lead = balance.first,
                       .other = balance.second,
                       .ratio = static_cast<double>(balance.target),
                       .weight = static_cast<double>(balance.weight)});
  }
  model.set_distances(instance.distances, static_cast<double>(instance.machine_weight));
  model.set_group_move_cost(static_cast<double>(instance.service_weight));
  return model;
}

}  // namespace rackline::bench
