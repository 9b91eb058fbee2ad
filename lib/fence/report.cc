// SPDX-License-Identifier: Apache-2.0
#include "fence/report.h"

#include <utility>

namespace rackline::fence {

using Outcome = FenceReport::Outcome;

FenceReport with(FenceReport report, Outcome outcome, std::string reason) {
  report.outcome = outcome;
  report.reason = std::move(reason);
  return report;
}

FenceReport refused(FenceReport report, std::string reason) {
  if (!report.power.told.empty())
    reason += "; before that, " + report.power.told + " had been told to switch it off";
  return with(std::move(report), Outcome::kRefused, std::move(reason));
}

FenceReport without_lock(FenceReport report, bool stopping) {
  if (stopping) return with(std::move(report), Outcome::kRefused, "interrupted before it was begun");
  report.needs_person = true;
  return with(std::move(report), Outcome::kBusy, "another fence is at work and does not let go of the lock");
}

FenceReport failed(FenceReport report, std::string reason) {
  report.needs_person = true;  // @rule 04-a-person-is-called
  if (report.power.proven && report.power.attempts > 0) {
    reason += "; " + report.power.told + " had been told to switch it off, and its power reads " +
              name_of(report.power.after);
  }
  return with(std::move(report), Outcome::kFailed, std::move(reason));
}

FenceReport withdrawn(FenceReport report) {
  std::string reason = "it is up again since the record was written";
  const auto after = report.power.after;
  const bool told = !report.power.told.empty();
  if (told) reason += "; before that, " + report.power.told + " had been told to switch it off";
  if (after == bmc::Power::kOff) {
    reason += ", and yet its power reads off: find out which machine its fence method switches";
  } else if (told) {
    reason += after == bmc::Power::kOn ? ", and its power reads on" : ", and its power cannot be read";
  }
  report.needs_person = false;
  return with(std::move(report), Outcome::kWithdrawn, std::move(reason));
}

}  // namespace rackline::fence
