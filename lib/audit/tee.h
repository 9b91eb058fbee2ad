// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "audit/trail.h"

namespace rackline::audit {

// Passes lines on and keeps each in the trail.
//
// A line is in the file before it is passed on: whatever is acted upon is in the trail, also when this
// process is killed, and when the trail cannot be written nothing is passed on any more. Whether it is also
// on the disk by then is the question of `durable`:
//
// - kBehind: it is on its way. A thread does nothing but fdatasync(2) as long as something is not on the
// disk,
//   each taking all that came during the one before (group commit); what a power cut can take is what passed
//   within one of them. No actor waits for the disk.
// - kBefore: it is. Every batch waits for the disk.
//
// Lines that have come together are kept and passed on together; none is held back to wait for more.
struct TeeOptions {
  enum class Durable { kBehind, kBefore };
  Durable durable = Durable::kBehind;
  // A checkpoint with this key after so long, and at the end; nullptr: none.
  const PrivateKey* key = nullptr;
  Milliseconds checkpoint_every{0};  // 0: at the end only
};

struct TeeCounts {
  std::int64_t lines = 0, broken = 0;
  std::vector<std::int64_t> first_broken = {};  // the first few of them: which lines of the input, from 1
  bool reader_gone = false;
};

// Until the end of the input, a request to stop (interrupt.h), or until nobody reads any more. Throws what
// Trail throws, and Error(kUnreachable) when it cannot read or pass on; a line of more than 16 MiB is
// Error(kUsage).
TeeCounts tee(int in, int out, Trail& trail, const Clock& clock, const TeeOptions& options);

}  // namespace rackline::audit
