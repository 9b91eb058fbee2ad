// SPDX-License-Identifier: Apache-2.0
#include "fence/answer.h"

#include <libvirt/libvirt.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/joined.h"
#include "cluster/marks.h"
#include "virt/worker.h"

namespace rackline::fence {
namespace {

constexpr std::size_t kNamed = 5;
// Verdicts that a host gets by something that it does. One that is suspect may be off. That it showed life
// after its fence stays said until there is a new mark, which is what a person comes for who has pulled its
// plug.
constexpr std::array<std::string_view, 3> kLiving{"isolated", "partitioned", "hypervisor_dead"};

// The names of what runs there, to be called on the connection's own thread.
std::vector<std::string> running_on(virt::Connection& connection) {
  virDomainPtr* list = nullptr;
  const int count = virConnectListAllDomains(connection.get(), &list, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    const virt::Domain domain(list[i]);
    names.emplace_back(virDomainGetName(domain.get()));
  }
  const virt::CString memory(reinterpret_cast<char*>(list));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::string answer_of_libvirtd(const record::Host& host, Milliseconds timeout) {
  try {
    virt::ConnectOptions options;
    options.read_only = true;
    virt::HostWorker worker({host.host, host.uri}, options);
    const auto names =
        worker.run([](virt::Connection& connection) { return running_on(connection); }, timeout);
    if (names.empty()) return "its libvirtd answers, and runs nothing";
    return "its libvirtd runs " + joined_some(names, kNamed);
  } catch (const std::exception& error) {
    if (std::string_view(error.what()).find("Connection refused") != std::string_view::npos)
      return "its kernel refuses the connection to libvirtd, so it runs";
    return {};
  }
}

std::string answer_of_heartbeat(store::Store& store, const std::string& host, std::chrono::sys_seconds now) {
  std::optional<cluster::HealthMark> mark;
  try {
    mark = cluster::health_mark(store, host);
  } catch (const cluster::BrokenMark&) {
    return {};  // it says nothing
  }
  if (!mark || !mark->valid(now)) return {};
  if (std::find(kLiving.begin(), kLiving.end(), mark->verdict) == kLiving.end()) return {};
  return "heartbeat says " + mark->verdict + ": " + mark->reason;
}

}  // namespace rackline::fence
