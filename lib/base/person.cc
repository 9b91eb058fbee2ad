// SPDX-License-Identifier: Apache-2.0
#include "base/person.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

namespace rackline {

std::string this_person() {
  const char* sudo = std::getenv("SUDO_USER");
  if (sudo != nullptr && *sudo != '\0' && geteuid() == 0) return sudo;
  const auto* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : "uid " + std::to_string(getuid());
}

}  // namespace rackline
