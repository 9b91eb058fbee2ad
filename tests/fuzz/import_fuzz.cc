// SPDX-License-Identifier: Apache-2.0
// Saved clusters from anybody: whatever the bytes, they are refused with a reason or become records that
// belong together and that every program can read.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>

#include "base/error.h"
#include "record/writer.h"
#include "usage/import.h"

namespace {

using namespace rackline;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(usage::Imported (*read)(std::string_view, const std::string&), std::string_view text) {
  usage::Imported imported;
  try {
    imported = read(text, "fuzz");
  } catch (const Error& error) {
    require(error.status() == Status::kUsage && !error.why().empty());
    return;
  }
  require(!imported.rounds.empty());
  for (const auto& rule : imported.rules) require(!rule.vms.empty() && !record::to_line(rule).empty());
  std::optional<record::Time> before;
  for (const auto& round : imported.rounds) {
    require(!before || !round.time || *before <= *round.time);
    before = round.time;
    std::set<std::string> hosts;
    for (const auto& host : round.hosts) {
      require(!host.host.empty() && hosts.insert(host.host).second);
      require(host.state != "up" || (*host.cpus > 0 && *host.memory_bytes > 0));
      require(record::to_line(host).find('\n') == std::string::npos);
    }
    for (const auto& vm : round.vms) {
      require(!vm.vm.empty() && hosts.contains(vm.host));
      require(record::to_line(vm).find('\n') == std::string::npos);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(usage::read_csv, bytes);
  check(usage::read_ganeti, bytes);
  return 0;
}
