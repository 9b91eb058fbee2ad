// SPDX-License-Identifier: Apache-2.0
#include "usage/recording.h"

#include <algorithm>
#include <utility>

#include "base/interrupt.h"

namespace rackline::usage {

Recording::Recording(record::Reader& reader, const std::string& source, std::vector<std::string> hosts,
                     series::RoundReader::Report report)
    : source_(source),
      hosts_(std::move(hosts)),
      unseen_(hosts_),
      report_(report),
      rounds_(reader, source,
              {.take = [this](record::Reader& from) { take(from); },
               .drop =
                   [this] {
                     const bool any = !hosts_seen_.empty() || !vms_seen_.empty();
                     hosts_seen_.clear();
                     vms_seen_.clear();
                     return any;
                   }},
              std::move(report)) {}

void Recording::take(record::Reader& reader) {
  const auto wanted = [&](const std::string& host) {
    return hosts_.empty() || std::count(hosts_.begin(), hosts_.end(), host) > 0;
  };
  if (reader.is<record::HostSample>()) {
    record::HostSample host;
    if (!reader.read(host) || !wanted(host.host)) return;
    std::erase(unseen_, host.host);
    hosts_seen_.push_back(std::move(host));
  } else if (reader.is<record::VmSample>()) {
    record::VmSample vm;
    if (reader.read(vm) && wanted(vm.host)) vms_seen_.push_back(std::move(vm));
  }
}

bool Recording::next(Round& round) {
  if (rounds_.next(round.end, round.at)) {
    round.hosts = std::exchange(hosts_seen_, {});
    round.vms = std::exchange(vms_seen_, {});
    return true;
  }
  if (interrupt::requested()) return false;
  for (const auto& host : unseen_) report_("replay the rounds: " + source_ + ": there is no host " + host);
  return false;
}

}  // namespace rackline::usage
