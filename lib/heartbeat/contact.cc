// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/contact.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "base/fd.h"

namespace rackline::heartbeat {

ContactFile::ContactFile(const std::string& directory, const std::string& host)
    : path_(directory + "/" + host + ".contact") {
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot_;
}

std::optional<Milliseconds> ContactFile::read(Milliseconds now) const {
  std::ifstream file(path_);
  std::string boot;
  Milliseconds::rep contact = -1;
  if (!(file >> boot >> contact) || boot != boot_ || boot_.empty()) return std::nullopt;
  if (contact < 0 || Milliseconds{contact} > now) return std::nullopt;
  return Milliseconds{contact};
}

bool ContactFile::write(Milliseconds contact) {
  if (written_ == contact) return true;
  // Numbers of a fixed width: written over in place, it is never half of two.
  char text[128];
  const int length = std::snprintf(text, sizeof text, "%s %019lld\n", boot_.c_str(),
                                   static_cast<long long>(contact.count()));
  const Fd file(open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file || pwrite(file.get(), text, static_cast<std::size_t>(length), 0) != length) return false;
  written_ = contact;
  return true;
}

void ContactFile::remove() {
  unlink(path_.c_str());
}

}  // namespace rackline::heartbeat
