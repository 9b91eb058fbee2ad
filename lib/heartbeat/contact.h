// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/time.h"

namespace rackline::heartbeat {

// When an agent was last in contact, in the file DIRECTORY/HOST.contact: an agent that is killed and started
// again on a host that is cut off goes on counting where it was. The time is that of the monotonic clock, so
// the id of the boot stands beside it. One line: "BOOT-ID MILLISECONDS".
class ContactFile {
 public:
  ContactFile(const std::string& directory, const std::string& host);

  // nullopt if there is none of this boot, or one from the future.
  std::optional<Milliseconds> read(Milliseconds now) const;
  // Without fdatasync: it need not outlive the boot. False when it could not be written.
  bool write(Milliseconds contact);
  void remove();

 private:
  std::string path_, boot_;
  std::optional<Milliseconds> written_;
};

}  // namespace rackline::heartbeat
