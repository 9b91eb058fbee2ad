// SPDX-License-Identifier: Apache-2.0
#include "audit/author.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace rackline::audit {

std::string this_person() {
  const char* sudo = std::getenv("SUDO_USER");
  if (sudo != nullptr && *sudo != '\0' && geteuid() == 0) return sudo;
  const auto* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : "uid " + std::to_string(getuid());
}

std::string this_machine() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

}  // namespace rackline::audit
