// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace rackline::heartbeat {

// The text of a host's key file, from the text of the watcher's: see host_key.h. As many keys as that has.
std::string host_key_text(std::string_view master_text, const std::string& host);

// Writes it to `path`, for its owner only. A file that is there is replaced, at once and as a whole, if it is
// of the same host and has one of the keys: so each step of a change of keys. Throws Error(kRefused) for any
// other one, and Error(kUnreachable).
void write_host_key(const std::string& path, const std::string& text);

// The change of a master key. The first step makes a new one, and the one before is good as well; the second
// one, when all hosts have theirs from the new one, lets go of the one before. Throws Error(kRefused) when a
// change is under way, or none is.
void renew_master_key(const std::string& path);
void retire_master_key(const std::string& path);

}  // namespace rackline::heartbeat
