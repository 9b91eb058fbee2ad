// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace rackline {

// From now on what this process has in memory is in no core dump, and no other process of its user can look
// at it (ptrace, /proc/PID/mem). Done by read_secret and make_secret; for programs that get secrets in
// another way.
void keep_memory_private();

// The contents of a file that holds a secret, without the line end that editors leave. Secrets come from
// files and never from a command line, which every user of the machine can read. Throws Error(kUnreachable)
// when it cannot be read, Error(kRefused) when it is empty, no regular file, belongs to neither
// this user nor root, or anybody but its owner has access to it. No message holds any of the contents.
std::string read_secret(const std::string& path);

// A secret of 256 bits, as text.
std::string new_secret();

// A new file with such a secret, which only its owner may read. Throws Error(kUnreachable), also when the
// file exists already.
void make_secret(const std::string& path);

// Whether a URL has a password in its user part, USER:PASSWORD@. Such a URL is refused and never repeated.
bool has_password(std::string_view url);

// For messages: the URL with *** for all between its scheme and its last @ that holds a colon.
std::string without_password(std::string_view url);

}  // namespace rackline
