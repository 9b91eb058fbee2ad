// SPDX-License-Identifier: Apache-2.0
#include "migrate/fate.h"

namespace rackline::migrate {
namespace {

using Verdict = MoveFate::Verdict;

const char* words_of(VmState state) {
  switch (state) {
    case VmState::kAbsent:
      return "does not have it";
    case VmState::kShutoff:
      return "has it stopped";
    case VmState::kRunning:
      return "runs it";
    case VmState::kPaused:
      return "has it paused";
    case VmState::kInMigration:
      return "has it paused for a migration";
    case VmState::kPostcopy:
      return "has it in post-copy";
    case VmState::kPostcopyFailed:
      return "has it in a failed post-copy";
    case VmState::kOther:
      return "has it neither running nor stopped";
  }
  return "has it in an unknown state";
}

bool is_moving(const VmFacts& vm) {
  return vm.job || vm.state == VmState::kInMigration || vm.state == VmState::kPostcopy;
}

MoveFate judge_live(const VmFacts& source, const VmFacts& target, const std::string& seen) {
  if (source.migrating_out && source.domain_id) return {Verdict::kAdopt, "its migration is still running"};
  if (target.active()) {
    if (!source.present()) return {Verdict::kDone, {}};  // @rule 10-finished, 10-two-copies: true
    if (source.state == VmState::kShutoff) return {Verdict::kFinish, seen};
    return {Verdict::kInconsistent, seen};
  }
  // A guest may have shut itself down, or its host may have been restarted: it is still there exactly once.
  if ((source.active() || source.state == VmState::kShutoff) && !target.present())
    return {Verdict::kSource, seen};
  if (source.active() && !source.job) {  // @rule 10-only-copy: true
    if (target.state == VmState::kInMigration) return {Verdict::kLeftover, seen};
    // A libvirtd that learns of the end too late starts its copy and fails, for the source has the disks
    // again.
    if (source.persistent && target.start_failed) return {Verdict::kLeftover, seen + " after a failed start"};
  }
  return {Verdict::kInconsistent, seen, is_moving(source) || is_moving(target)};
}

// A definition is written on the target first and taken from the source last, so at no instant has neither of
// them one.
MoveFate judge_stopped(const VmFacts& source, const VmFacts& target, const std::string& seen) {
  const bool there = target.active() || target.state == VmState::kShutoff;
  if (there && !source.present()) return {Verdict::kDone, {}};
  if (source.state == VmState::kShutoff && !source.job) {
    if (there) return {Verdict::kFinish, seen};
    if (!target.present()) return {Verdict::kSource, seen};
  }
  return {Verdict::kInconsistent, seen};
}

}  // namespace

MoveFate judge(const Move& move, bool live, const std::optional<VmFacts>& source,
               const std::optional<VmFacts>& target) {
  if (!source || !target) {
    return {Verdict::kUnknown, (!source ? move.from : move.to) + " does not answer"};
  }
  const std::string seen =
      move.from + " " + words_of(source->state) + ", " + move.to + " " + words_of(target->state);
  if (source->name_clash || target->name_clash) {
    return {Verdict::kInconsistent, seen + "; a virtual server of its name has another uuid"};
  }
  return live ? judge_live(*source, *target, seen) : judge_stopped(*source, *target, seen);
}

}  // namespace rackline::migrate
