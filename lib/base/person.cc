// SPDX-License-Identifier: Apache-2.0
#include "base/person.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/appended_file.h"
#include "base/error.h"
#include "base/id.h"

namespace rackline {

std::string this_person() {
  const char* sudo = std::getenv("SUDO_USER");
  if (sudo != nullptr && *sudo != '\0' && geteuid() == 0) return sudo;
  const auto* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : "uid " + std::to_string(getuid());
}

void leave_call(const std::string& directory, const std::string& sentence) {
  const std::string name = random_id();
  const std::string hidden = directory + "/." + name;  // who looks for calls does not see it
  AppendedFile("call a person", hidden).write(sentence + "\n");
  if (std::rename(hidden.c_str(), (directory + "/" + name).c_str()) != 0)
    throw system_error(Status::kUnreachable, "call a person", directory);
}

}  // namespace rackline
