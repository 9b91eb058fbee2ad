// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rackline {

// The file that a name leads to, through symbolic links; it need not be there. The name itself where it is
// none. What belongs to a file (locks, parts, a file that takes its place) stands beside this one, so that it
// is the same under each of its names.
std::string real_file(const std::string& path);

// For a file that is to be written, and believed when it is read again. Throws Error(kRefused) where the
// file, its directory, or a link on the way to it belongs to somebody else than who runs this or root, or can
// be written by somebody else. What is not there is nobody's.
void require_own_file(const std::string& attempted, const std::string& path);

}  // namespace rackline
