// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/watch_call.h"

namespace rackline::heartbeat {

std::string call_for_person(const Transition& transition) {
  const auto& record = transition.record;
  const std::string what = record.host + ": " + record.reason.value_or("");
  if (transition.verdict == HostVerdict::kFenceContradicted) {
    return what +
           ": its virtual servers may run twice, and a person is needed. Pull its plug now, and tell it: "
           "fence --confirm-manual " +
           record.host;
  }
  // Unknown is not dead: it is not fenced, and what ran there is not started elsewhere.
  if (transition.verdict == HostVerdict::kUnknown) {  // @rule 04-never-heard
    return what + ": whether it lives is not known, so nothing is done about it, and a person is needed. " +
           "Look at it, and when it is surely off: fence --confirm-manual " + record.host + " | failover";
  }
  return {};
}

}  // namespace rackline::heartbeat
