// SPDX-License-Identifier: Apache-2.0
#include "usage/recording.h"

#include <algorithm>
#include <utility>

#include "base/interrupt.h"
#include "base/units.h"

namespace rackline::usage {

void Recording::drop(Round& round) {
  if (!round.hosts.empty() || !round.vms.empty()) {
    report_("replay the rounds: " + source_ + ": line " + std::to_string(reader_.line()) +
            ": the round before was cut off and is left out");
  }
  round.hosts.clear();
  round.vms.clear();
}

bool Recording::next(Round& round) {
  const auto wanted = [&](const std::string& host) {
    return hosts_.empty() || std::count(hosts_.begin(), hosts_.end(), host) > 0;
  };
  round.hosts.clear();
  round.vms.clear();
  while (reader_.next()) {
    // An `end` is not handed out, but whatever stood before it has no round_end to come.
    if (reader_.ends() != ends_) drop(round);
    ends_ = reader_.ends();
    if (reader_.is<record::HostSample>()) {
      record::HostSample host;
      if (!reader_.read(host) || !wanted(host.host)) continue;
      std::erase(unseen_, host.host);
      round.hosts.push_back(std::move(host));
    } else if (reader_.is<record::VmSample>()) {
      record::VmSample vm;
      if (reader_.read(vm) && wanted(vm.host)) round.vms.push_back(std::move(vm));
    } else if (reader_.is<record::RoundEnd>()) {
      if (!reader_.read(round.end)) continue;
      const bool fresh = ends_ != std::exchange(ends_at_round_, ends_);
      const bool broken = reader_.skipped() != std::exchange(skipped_at_round_, reader_.skipped());
      if (!fresh && timeline_.lacks_beginning(round.end, broken)) {
        drop(round);
        continue;
      }
      round.at = timeline_.place(round.end, fresh, reader_.line());
      any_ = true;
      if (timeline_.set_back() > Milliseconds{0}) {
        report_("replay the rounds: " + source_ + ": line " + std::to_string(reader_.line()) +
                ": the wall clock was set back by " + format_duration(timeline_.set_back()) +
                "; the recorder's own clock is followed");
      }
      return true;
    }
  }
  if (interrupt::requested()) return false;
  drop(round);
  if (!any_) throw series::no_round(source_);
  for (const auto& host : unseen_) report_("replay the rounds: " + source_ + ": there is no host " + host);
  return false;
}

}  // namespace rackline::usage
