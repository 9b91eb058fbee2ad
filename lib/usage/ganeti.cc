// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "usage/import.h"

namespace rackline::usage {
namespace {

using detail::shown;
using detail::take_line;
using Words = std::vector<std::string_view>;

constexpr double kMiB = 1 << 20;
// The ratio of Ganeti's own default policy, which holds where a file has none.
constexpr double kVcpuRatio = 4;

Words split(std::string_view text, char by) {
  Words words;
  if (text.empty()) return words;
  for (;;) {
    const auto end = text.find(by);
    words.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return words;
    text.remove_prefix(end + 1);
  }
}

class GanetiReader {
 public:
  GanetiReader(std::string_view text, const std::string& source) : text_(text), source_(source) {}
  Imported read();

 private:
  struct Group {
    std::string_view name, uuid;
    double vcpu_ratio = kVcpuRatio;
    bool has_policy = false;
    std::vector<std::string> hosts, vms;
  };
  struct Node {
    std::size_t group = 0;
    Words tags;
    std::vector<std::string> vms;
  };

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(Status::kUsage, "import a cluster of Ganeti", source_ + ": line " + std::to_string(line_),
                why);
  }
  double number(std::string_view text, const char* what) const;
  std::int64_t count(std::string_view text, const char* what) const {
    return std::llround(number(text, what));
  }
  std::int64_t mebibytes(std::string_view text, const char* what) const {
    return std::llround(number(text, what) * kMiB);
  }
  void fields(const Words& words, std::size_t least, const char* what) const {
    if (words.size() >= least && !words[0].empty()) return;
    refuse(std::string("expected a ") + what + " of at least " + std::to_string(least) +
           " fields with | between them");
  }

  void read_group(std::string_view line);
  void read_node(std::string_view line);
  void read_instance(std::string_view line);
  void read_policy(std::string_view line);
  // Where the instance may be, if not everywhere.
  void bind(const std::string& name, const Words& words, std::string_view primary);

  void add_tag_rules();
  void add_group_rules();
  void add_migration_rules();
  Words tag_values(std::string_view prefix) const;
  void add_rule(const char* rule, std::vector<std::string> vms,
                std::optional<std::vector<std::string>> hosts);

  std::string_view text_;
  std::string source_;
  std::int64_t line_ = 0;
  Imported result_;
  Imported::Round round_;
  std::vector<Group> groups_;
  std::vector<Node> nodes_;  // as round_.hosts
  std::unordered_map<std::string_view, std::size_t> group_of_uuid_, node_of_name_;
  std::set<std::string_view> instances_;
  std::map<std::string_view, std::vector<std::string>> instances_of_tag_;
  Words cluster_tags_;
};

double GanetiReader::number(std::string_view text, const char* what) const {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Sizes are in MiB: what is above 2^40 of them is no size, and could not be told in bytes.
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0 && value < 1e12)) {
    refuse(std::string(what) + ": expected a number, not " + shown(text));
  }
  return value;
}

void GanetiReader::add_rule(const char* rule, std::vector<std::string> vms,
                            std::optional<std::vector<std::string>> hosts) {
  record::PlacementRule record;
  record.rule = rule;
  record.vms = std::move(vms);
  record.hosts = std::move(hosts);
  result_.rules.push_back(std::move(record));
}

// name|uuid|policy|tags|networks
void GanetiReader::read_group(std::string_view line) {
  const Words words = split(line, '|');
  fields(words, 3, "group");
  constexpr std::array<std::string_view, 3> kPolicies{"preferred", "last_resort", "unallocable"};
  if (std::find(kPolicies.begin(), kPolicies.end(), words[2]) == kPolicies.end()) {
    refuse("allocation policy: expected preferred, last_resort or unallocable, not " + shown(words[2]));
  }
  if (!group_of_uuid_.emplace(words[1], groups_.size()).second) refuse("a second group " + shown(words[1]));
  groups_.push_back({words[0], words[1], kVcpuRatio, false, {}, {}});
}

// name|t_mem|n_mem|f_mem|t_disk|f_disk|t_cpu|offline|group|spindles|tags|...
void GanetiReader::read_node(std::string_view line) {
  const Words words = split(line, '|');
  fields(words, 9, "node");
  const auto group = group_of_uuid_.find(words[8]);
  if (group == group_of_uuid_.end()) refuse("there is no group " + shown(words[8]));
  if (!node_of_name_.emplace(words[0], nodes_.size()).second) refuse("a second node " + shown(words[0]));
  if (words[7] != "Y" && words[7] != "N" && words[7] != "M") {
    refuse("role: expected Y (offline), N or M (master), not " + shown(words[7]));
  }
  record::HostSample host;
  host.host = words[0];
  host.imported = "ganeti";
  host.state = "up";
  if (std::find(words.begin() + 1, words.begin() + 7, "?") != words.begin() + 7) {
    host.state = "unreachable";
    host.error = "the file does not tell its size";
  } else {
    host.memory_bytes = mebibytes(words[1], "memory");
    host.memory_reserve_bytes = mebibytes(words[2], "memory of the node itself");
    host.memory_free_bytes = mebibytes(words[3], "free memory");
    number(words[4], "disk");
    number(words[5], "free disk");
    host.cpus = count(words[6], "CPUs");
    if (*host.memory_free_bytes > *host.memory_bytes) refuse("more memory is free than there is");
  }
  const bool sized = host.cpus.value_or(0) > 0 && host.memory_bytes.value_or(0) > 0;
  if (words[7] == "Y") {
    // Of its instances Ganeti's tools move off what they can, and nothing is placed there.
    host.drained = true;
    if (!sized) {
      host.state = "unreachable";
      host.error = "it is offline, and the file does not tell its size";
    }
  } else if (host.state == "up" && !sized) {
    refuse("a node that is not offline has no " + std::string(*host.cpus == 0 ? "CPUs" : "memory"));
  }
  round_.hosts.push_back(std::move(host));
  groups_[group->second].hosts.emplace_back(words[0]);
  nodes_.push_back({group->second, words.size() > 10 ? split(words[10], ',') : Words{}, {}});
}

std::string state_of(std::string_view status) {
  if (status == "running" || status == "ERROR_up") return "running";
  if (status == "stopped" || status == "ADMIN_down" || status == "ADMIN_offline" || status == "USER_down") {
    return "shutoff";
  }
  // The cluster wants it up and it is not where it should be: what it takes, and where, is not known.
  if (status.starts_with("ERROR_")) return "unknown";
  return {};
}

// name|mem|disk|vcpus|status|auto_balance|primary|secondary|disk_template|tags|spindles|...
void GanetiReader::read_instance(std::string_view line) {
  const Words words = split(line, '|');
  fields(words, 9, "instance");
  const auto node = node_of_name_.find(words[6]);
  if (node == node_of_name_.end()) refuse("there is no node " + shown(words[6]));
  if (!instances_.insert(words[0]).second) refuse("a second instance " + shown(words[0]));
  record::VmSample vm;
  vm.vm = words[0];
  vm.host = words[6];
  vm.memory_bytes = mebibytes(words[1], "memory");
  vm.disk_capacity_bytes = mebibytes(words[2], "disk");
  vm.vcpus = count(words[3], "virtual CPUs");
  vm.state = state_of(words[4]);
  if (vm.state.empty()) refuse("status: " + shown(words[4]) + " is none");
  if (vm.state == "running") vm.memory_used_bytes = vm.memory_bytes;
  vm.persistent = true;
  bind(vm.vm, words, words[6]);
  if (words.size() > 9) {
    for (const auto tag : split(words[9], ',')) instances_of_tag_[tag].push_back(vm.vm);
  }
  nodes_[node->second].vms.push_back(vm.vm);
  groups_[nodes_[node->second].group].vms.push_back(vm.vm);
  round_.vms.push_back(std::move(vm));
}

void GanetiReader::bind(const std::string& name, const Words& words, std::string_view primary) {
  const std::string_view secondary = words[7];
  const std::string_view disks = words[8];
  if (!secondary.empty()) {
    if (!node_of_name_.contains(secondary)) refuse("there is no node " + shown(secondary));
    if (secondary == primary) refuse("its primary and its secondary node are the same");
  }
  if (words[5] != "Y" && words[5] != "N") refuse("auto_balance: expected Y or N, not " + shown(words[5]));
  constexpr std::array<std::string_view, 6> kShared{"diskless", "sharedfile", "blockdev",
                                                    "rbd",      "ext",        "gluster"};
  const bool shared = std::find(kShared.begin(), kShared.end(), disks) != kShared.end();
  const bool mirrored = disks == "drbd";
  if (!shared && !mirrored && disks != "plain" && disks != "file") {
    refuse("disk template: " + shown(disks) + " is none");
  }
  if (mirrored && secondary.empty()) refuse("its disks are mirrored, and there is no secondary node");
  std::vector<std::string> hosts{std::string(primary)};
  if (words[5] == "Y" && shared) return;
  if (words[5] == "Y" && mirrored) hosts.emplace_back(secondary);
  add_rule("pin", {name}, std::move(hosts));
}

// owner|standard|minmax|disk templates|vcpu ratio|spindle ratio
void GanetiReader::read_policy(std::string_view line) {
  const Words words = split(line, '|');
  if (words.size() < 6) refuse("expected a policy of 6 fields with | between them");
  const double ratio = number(words[4], "vcpu ratio");
  if (ratio <= 0) refuse("vcpu ratio: expected a number above 0");
  const bool of_cluster = words[0].empty();
  bool found = of_cluster;
  for (auto& group : groups_) {
    if (!of_cluster && group.name != words[0]) continue;
    found = true;
    if (of_cluster && group.has_policy) continue;
    group.vcpu_ratio = ratio;
    group.has_policy = !of_cluster;
  }
  if (!found) refuse("there is no group " + shown(words[0]));
}

Words GanetiReader::tag_values(std::string_view prefix) const {
  Words values;
  for (const auto tag : cluster_tags_) {
    if (tag.starts_with(prefix)) values.push_back(tag.substr(prefix.size()));
  }
  return values;
}

bool has_prefix(std::string_view tag, std::string_view prefix) {
  return tag.starts_with(prefix) && tag.substr(prefix.size()).starts_with(':');
}

// Tags of nodes name what fails together; tags of instances name those that shun each other.
void GanetiReader::add_tag_rules() {
  for (const auto prefix : tag_values("htools:nlocation:")) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      for (const auto tag : nodes_[i].tags) {
        if (!has_prefix(tag, prefix)) continue;
        auto& domain = round_.hosts[i].failure_domain;
        domain = domain ? *domain + "," + std::string(tag) : std::string(tag);
      }
    }
  }
  for (const auto prefix : tag_values("htools:iextags:")) {
    for (const auto& [tag, vms] : instances_of_tag_) {
      if (has_prefix(tag, prefix) && vms.size() > 1) add_rule("anti_affinity", vms, std::nullopt);
    }
  }
  if (!tag_values("htools:desiredlocation:").empty())
    result_.notes.emplace_back("desired locations are wishes for which there is no rule: left out");
}

void GanetiReader::add_group_rules() {
  if (groups_.size() < 2) return;
  for (const auto& group : groups_) {
    if (!group.vms.empty()) add_rule("pin", group.vms, group.hosts);
  }
}

// A server may go from a node to another that has all of its migration tags, or takes such ones.
void GanetiReader::add_migration_rules() {
  const Words prefixes = tag_values("htools:migration:");
  if (prefixes.empty()) return;
  std::vector<std::set<std::string_view>> own(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const auto tag : nodes_[i].tags) {
      if (std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return has_prefix(tag, prefix); }))
        own[i].insert(tag);
    }
  }
  auto taken = own;
  for (const auto allowed : tag_values("htools:allowmigration:")) {
    const auto middle = allowed.find("::");
    if (middle == std::string_view::npos) continue;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (own[i].contains(allowed.substr(middle + 2))) taken[i].insert(allowed.substr(0, middle));
    }
  }
  for (std::size_t from = 0; from < nodes_.size(); ++from) {
    std::vector<std::string> closed;
    for (std::size_t to = 0; to < nodes_.size(); ++to) {
      const bool open = std::includes(taken[to].begin(), taken[to].end(), own[from].begin(), own[from].end());
      if (to != from && !open) closed.push_back(round_.hosts[to].host);
    }
    if (!closed.empty() && !nodes_[from].vms.empty())
      add_rule("exclude", nodes_[from].vms, std::move(closed));
  }
}

Imported GanetiReader::read() {
  enum Section { kGroups, kNodes, kInstances, kTags, kPolicies, kBeyond };
  int section = kGroups;
  while (!text_.empty()) {
    ++line_;
    const std::string_view line = take_line(text_);
    if (line.empty()) {
      section = std::min<int>(section + 1, kBeyond);
      continue;
    }
    switch (section) {
      case kGroups:
        read_group(line);
        break;
      case kNodes:
        read_node(line);
        break;
      case kInstances:
        read_instance(line);
        break;
      case kTags:
        cluster_tags_.push_back(line);
        break;
      case kPolicies:
        read_policy(line);
        break;
      default:
        refuse("expected at most five sections with an empty line between them");
    }
  }
  if (nodes_.empty()) refuse("there is no node in it: is that Ganeti's text format?");
  if (section < kTags) {
    refuse("it ends in section " + std::to_string(section + 1) +
           " of groups, nodes, instances, tags and policies: it was cut off");
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    round_.hosts[i].cpu_overcommit = groups_[nodes_[i].group].vcpu_ratio;
  }
  add_tag_rules();
  add_group_rules();
  add_migration_rules();
  detail::complete(round_);
  result_.rounds.push_back(std::move(round_));
  return std::move(result_);
}

}  // namespace

Imported read_ganeti(std::string_view text, const std::string& source) {
  return GanetiReader(text, source).read();
}

}  // namespace rackline::usage
