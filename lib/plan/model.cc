// SPDX-License-Identifier: Apache-2.0
#include "plan/model.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace rackline::plan {

Model::Model(std::vector<Resource> resources) : resources_(std::move(resources)) {
  if (this->resources() > kMostResources) throw std::length_error("more resources than a model may have");
  for (int r = 0; r < this->resources(); ++r) {
    if (resource(r).spare) spare_resource_ = r;
  }
}

int Model::add_bin(const std::vector<Supply>& supplies, BinState state, int domain, int neighbourhood) {
  for (const Supply& supply : supplies) {
    // A ratio of which the product is whole comes out just below that now and then.
    const double promised = std::floor(static_cast<double>(supply.size) * supply.overcommit + 1e-6);
    capacities_.push_back(static_cast<Amount>(promised) - supply.reserve);
    supplies_.push_back(supply);
  }
  states_.push_back(state);
  domains_.push_back(domain);
  domain_count_ = std::max(domain_count_, domain + 1);
  neighbourhoods_.push_back(neighbourhood);
  neighbourhood_count_ = std::max(neighbourhood_count_, neighbourhood + 1);
  return bins() - 1;
}

int Model::add_group(Group group) {
  has_together_ = has_together_ || group.together;
  groups_.push_back(std::move(group));
  dependencies_.emplace_back();
  dependents_.emplace_back();
  return groups() - 1;
}

void Model::add_dependency(int group, int on) {
  // One that depends on its own kind has it wherever it is.
  if (group == on) return;
  auto& list = dependencies_[index(group)];
  if (std::find(list.begin(), list.end(), on) != list.end()) return;
  list.push_back(on);
  dependents_[index(on)].push_back(group);
  has_dependencies_ = true;
}

void Model::set_distances(std::vector<std::int32_t> distances, double weight) {
  if (distances.size() != states_.size() * states_.size()) {
    throw std::length_error("a distance is missing or too many");
  }
  distances_ = std::move(distances);
  distance_weight_ = weight;
}

int Model::add_class(const std::vector<bool>& allowed) {
  allowed_.insert(allowed_.end(), allowed.begin(), allowed.end());
  return class_count_++;
}

int Model::add_item(const Item& item) {
  demands_.insert(demands_.end(), item.demands.begin(), item.demands.end());
  starts_.push_back(item.start);
  item_classes_.push_back(item.item_class);
  frozen_.push_back(item.frozen ? 1 : 0);
  move_costs_.push_back(item.move_cost);
  group_list_.insert(group_list_.end(), item.groups.begin(), item.groups.end());
  group_begins_.push_back(static_cast<int>(group_list_.size()));
  return items() - 1;
}

}  // namespace rackline::plan
