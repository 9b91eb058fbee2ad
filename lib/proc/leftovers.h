// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include "base/fd.h"

namespace rackline::proc {

// A process between us and a child, of which nothing may act later. All that the child starts falls to it
// when its parents die (PR_SET_CHILD_SUBREAPER), whatever sessions, groups and environments it makes for
// itself. The keeper kills the child and all that it has started when the child ends, when it is told to, and
// when we die; then it ends with the child's status. Each child has its own, so that of several children at
// once nothing is taken for another's.
//
// It does not find what the child has a daemon start, and cannot kill what runs as another user.
class Keeper {
 public:
  Keeper();  // throws Error(kUnreachable)

  // Called in the process that was forked for the child: that becomes the keeper, and the call returns in a
  // process that it has forked.
  void stand_between() const;
  // It kills them all now.
  void end() { ours_ = Fd(); }

 private:
  Fd its_, ours_;  // a pipe: it reads, and sees that we have closed or are gone
};

}  // namespace rackline::proc
