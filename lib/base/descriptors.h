// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rackline {

// A program that was started without stdin, stdout or stderr would get their numbers for the next files that
// it opens, and read or write these in their place. So what is missing is opened on /dev/null, the wrong way
// round: reading and writing there fails, and what was to be said is not lost silently. To be called before
// anything is opened; ends the process where even that is impossible.
void hold_standard_descriptors();

}  // namespace rackline
