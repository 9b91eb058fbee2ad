// SPDX-License-Identifier: Apache-2.0
// Asking controllers and hosts who they are.
#include <libvirt/libvirt.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <pugixml.hpp>
#include <set>

#include "base/error.h"
#include "bmc/agent_kind.h"
#include "bmc/switch.h"
#include "fence/identity.h"
#include "virt/worker.h"

namespace rackline::fence {
namespace {

std::optional<bmc::Uuid> uuid_in_capabilities(const std::string& xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return std::nullopt;
  return bmc::parse_uuid(document.child("capabilities").child("host").child("uuid").text().as_string());
}

std::vector<IdentityFinding> ask_one(IdentitySource& source, const record::Host& host,
                                     const bmc::FenceLevels& levels, const Clock& clock,
                                     Milliseconds timeout) {
  const auto started = clock.monotonic();
  std::vector<IdentityFinding> findings;
  auto own = std::async(std::launch::async, [&] { return source.of_host(host, timeout); });
  for (const auto& level : levels) {
    for (const auto& method : level) {
      if (method.self() || !bmc::agent_kind(method.agent).has_identity()) continue;
      auto& finding = findings.emplace_back();
      finding.method = method.title();
      finding.place = bmc::switch_place(method).key();
      const auto left = started + timeout - clock.monotonic();
      const auto answer = source.of_switch(method, std::max(Milliseconds{500}, left));
      finding.bmc_uuid = answer.uuid;
      if (!answer.uuid) finding.reason = answer.why;
    }
  }
  if (findings.empty()) {
    findings.emplace_back().reason = levels.empty() ? "it has neither a fence_method nor a bmc"
                                                    : "none of its fence methods can tell a UUID";
  }
  const auto self = own.get();
  for (auto& finding : findings) {
    finding.host = host.host;
    finding.host_uuid = self.uuid;
    if (!self.uuid) finding.reason += (finding.reason.empty() ? "" : "; ") + ("the host: " + self.why);
    finding.elapsed = clock.monotonic() - started;
  }
  return findings;
}

}  // namespace

bmc::Identity RealIdentities::of_switch(const bmc::FenceMethod& method, Milliseconds timeout) {
  const auto kind = bmc::agent_kind(method.agent);
  bmc::Controller controller;
  controller.host = method.option("ip");
  controller.port = method.option("ipport");
  controller.user = method.option("username");
  controller.password_file = method.password_file;
  if (!kind.ipmi) {
    controller.ca_file = method.ca_file;
    controller.insecure = method.option("ssl_insecure") == "1";
    controller.system = method.option("systems_uri");
    return bmc::ask_redfish(controller, timeout);
  }
  const std::string lanplus = method.option("lanplus");
  // Its own defaults go by the name by which it is called.
  const auto called = std::filesystem::path(method.agent).filename();
  const bool preset = called == "fence_ilo3" || called == "fence_ilo4" || called == "fence_ilo5" ||
                      called == "fence_ipmilanplus";
  controller.lanplus =
      lanplus.empty() ? preset : lanplus == "1" || lanplus == "yes" || lanplus == "on" || lanplus == "true";
  controller.cipher = method.option("cipher");
  controller.privilege = method.option("privlvl");
  controller.target = method.option("target");
  if (const auto program = method.option("ipmitool_path"); !program.empty()) controller.ipmitool = program;
  return bmc::ask_ipmi(controller, timeout);
}

bmc::Identity RealIdentities::of_host(const record::Host& host, Milliseconds timeout) {
  try {
    virt::ConnectOptions options;
    options.read_only = true;
    virt::HostWorker worker({host.host, host.uri}, options);
    const auto xml = worker.run(
        [](virt::Connection& connection) {
          const virt::CString text(virConnectGetCapabilities(connection.get()));
          return text ? std::string(text.get()) : std::string();
        },
        timeout);
    const auto uuid = uuid_in_capabilities(xml);
    if (!uuid) return {std::nullopt, "its libvirtd tells no UUID"};
    if (!bmc::is_unique(*uuid))
      return {std::nullopt, "its UUID " + bmc::to_text(*uuid) + " identifies nobody"};
    return {uuid, {}};
  } catch (const std::exception& error) {
    return {std::nullopt, bmc::agent_complaint(error.what(), {})};
  }
}

std::vector<IdentityFinding> verify_identities(store::Store& store, IdentitySource& source,
                                               const std::vector<record::Host>& hosts,
                                               const std::map<std::string, bmc::FenceLevels>& methods,
                                               const Clock& clock, Milliseconds timeout, bool keep) {
  std::vector<std::future<std::vector<IdentityFinding>>> asked;
  asked.reserve(hosts.size());
  for (const auto& host : hosts) {
    asked.push_back(std::async(std::launch::async,
                               [&] { return ask_one(source, host, methods.at(host.host), clock, timeout); }));
  }
  std::vector<IdentityFinding> findings;
  for (auto& one : asked) {
    for (auto& finding : one.get()) findings.push_back(std::move(finding));
  }
  std::vector<IdentityFinding> known;
  for (const auto& [host, levels] : methods) {
    // What was learnt of a switch that the host no longer has says nothing about it.
    std::set<std::string> places;
    for (const auto& level : levels) {
      for (const auto& method : level) places.insert(bmc::switch_place(method).key());
    }
    for (auto& finding : kept_identities(store, host)) {
      if (places.contains(finding.place)) known.push_back(std::move(finding));
    }
  }
  auto answers = judge_identities(findings, known);
  answers.insert(answers.end(), findings.begin(), findings.end());
  if (keep) keep_identities(store, answers, clock.wall());
  return findings;
}

}  // namespace rackline::fence
