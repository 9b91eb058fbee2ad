// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "capacity/cluster.h"
#include "decide/guard.h"
#include "decide/sentences.h"
#include "plan/state.h"

namespace rackline::capacity {

using decide::percent_text;

// Why something is as it is, in words for the person who reads the plan.
class Explain : public decide::Sentences {
 public:
  Explain(const Cluster& cluster, const Rules& rules, const Policy& policy)
      : Sentences(cluster.model, {"virtual servers", "host", "hosts"}),
        cluster_(cluster),
        rules_(rules),
        policy_(policy) {}

  // "h1 cpu 91% > 75%", for each limit that the host is above; empty when it is above none.
  std::string overload(const plan::State& state, int bin) const;
  // "h1 cpu 60% memory 41%"
  std::string load(const plan::State& state, int bin) const;
  // Whether balance() mends such a violation. An overcommit of CPUs beyond the ratio slows down, no more:
  // nothing goes there, but nobody is sent away for it. Nor is anybody for memory that only balloons have
  // taken back.
  bool may_be_mended(const plan::Violation& violation) const;

 private:
  const Cluster::HostState& host(int bin) const { return cluster_.hosts[static_cast<std::size_t>(bin)]; }
  const std::string& item_name(int item) const override { return cluster_.vm(item).name; }
  const std::string& bin_name(int bin) const override { return host(bin).name; }
  std::string amount(int resource, plan::Amount value) const override;
  const std::string& why_item_frozen(int item) const override { return cluster_.vm(item).frozen; }
  const std::string& why_bin_frozen(int bin) const override { return host(bin).frozen; }
  const std::string& why_bin_closed(int bin) const override { return host(bin).closed; }
  std::pair<std::string, std::string> forbidden(int item, int bin) const override;
  std::string constraint_of_frozen(int item) const override {
    return cluster_.vm(item).is_bound() ? "bound" : "held";
  }
  std::string constraint_of_capacity(int bin, int resource) const override;
  std::string word_of_load() const override { return "cpu_load"; }
  std::string word_of_room() const override { return "memory"; }
  std::string reserved(int bin, int resource) const override;

  const Cluster& cluster_;
  const Rules& rules_;
  const Policy& policy_;
};

}  // namespace rackline::capacity
