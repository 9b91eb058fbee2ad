// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rackline {

// A program that was started without stdin, stdout or stderr would get their numbers for the next files that
// it opens, and read or write these in their place. So what is missing is opened on /dev/null, the wrong way
// round: reading and writing there fails, and what was to be said is not lost silently. To be called before
// anything is opened; ends the process where even that is impossible.
void hold_standard_descriptors();

// As many descriptors as the hard limit permits, and at most 65,536: a connection to each of 1,500 hosts is
// more than the usual 1,024, which is what select(2) can bear. So programs that we start get the old limit
// back, by the second call, between fork and exec.
void raise_descriptor_limit();
void restore_descriptor_limit();

}  // namespace rackline
