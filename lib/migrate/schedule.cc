// SPDX-License-Identifier: Apache-2.0
#include "migrate/schedule.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "net/address.h"

namespace rackline::migrate {
namespace {

constexpr std::string_view kMigrationScheme = "tcp://";

using Domains = std::map<std::string, std::string>;  // failure domain by host

std::optional<std::string> depends_on(const Move& later, const Move& failed, const Domains& domain_of) {
  if (later.stage <= failed.stage) return std::nullopt;
  if (later.vm == failed.vm) return "an earlier move of it was not carried out";
  const std::string blame = failed.vm + " did not leave " + failed.from;
  if (later.to == failed.from) return blame + ", where this one was to go";
  const auto left = domain_of.find(failed.from);
  const auto entered = domain_of.find(later.to);
  if (left != domain_of.end() && entered != domain_of.end() && left->second == entered->second) {
    return blame + ", which is in the failure domain " + left->second + " of " + later.to;
  }
  return std::nullopt;
}

bool has_port(std::string_view uri) {
  const auto address = net::parse_address(uri.substr(std::min(uri.size(), kMigrationScheme.size())));
  return address && address->port;
}

}  // namespace

act::Schedule migration_schedule(const std::vector<Move>& moves,
                                 const std::map<std::string, MigrationHost>& hosts,
                                 const MigrationPolicy& policy) {
  Domains domain_of;
  for (const auto& [name, host] : hosts) {
    if (host.failure_domain) domain_of[name] = *host.failure_domain;
  }
  std::vector<act::Item> items;
  for (const Move& move : moves) {
    const auto to = hosts.find(move.to);
    // Two migrations cannot come in at one port.
    const bool one = to != hosts.end() && has_port(to->second.migration_uri);
    items.push_back(
        {move.stage,
         {{"from " + move.from, policy.max_outbound}, {"to " + move.to, one ? 1 : policy.max_inbound}}});
  }
  return {std::move(items), policy.max_total,
          [moves, domain_of = std::move(domain_of)](std::size_t later, std::size_t failed) {
            return depends_on(moves[later], moves[failed], domain_of);
          }};
}

}  // namespace rackline::migrate
