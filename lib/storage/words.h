// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "decide/sentences.h"
#include "storage/fleet.h"

namespace rackline::storage {

// Why something is as it is, in words for the person who reads the plan.
class Words : public decide::Sentences {
 public:
  Words(const Fleet& fleet, const LunRules& rules, const Policy& policy)
      : Sentences(fleet.model, {"LUNs", "array", "arrays"}), fleet_(fleet), rules_(rules), policy_(policy) {}

  // "a1 space 85% > 80%", for each limit that the array is above; empty when it is above none.
  std::string overload(const plan::State& state, int bin) const;
  // "a1 space 60% load 41%"
  std::string load(const plan::State& state, int bin) const;
  // "a1 is left out: its sample is stale", for each array of which too little is known.
  std::vector<std::string> left_out() const;

 private:
  const Fleet::ArrayState& array(int bin) const { return fleet_.arrays[static_cast<std::size_t>(bin)]; }
  const std::string& item_name(int item) const override { return fleet_.lun(item).name; }
  const std::string& bin_name(int bin) const override { return array(bin).name; }
  std::string amount(int resource, plan::Amount value) const override;
  const std::string& why_item_frozen(int item) const override { return fleet_.lun(item).frozen; }
  const std::string& why_bin_frozen(int bin) const override { return array(bin).frozen; }
  const std::string& why_bin_closed(int bin) const override { return array(bin).closed; }
  std::pair<std::string, std::string> forbidden(int item, int bin) const override;
  std::string constraint_of_capacity(int bin, int resource) const override;
  std::string word_of_load() const override { return "load"; }
  std::string word_of_room() const override { return "space"; }

  const Fleet& fleet_;
  const LunRules& rules_;
  const Policy& policy_;
};

}  // namespace rackline::storage
