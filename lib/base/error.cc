// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace rackline {
namespace {

// One line whatever the parts hold: a libvirt message may carry line ends, and cron mails and grep want
// lines.
std::string sentence(const std::string& attempted, const std::string& object, const std::string& why) {
  std::string line = attempted;
  for (const std::string& part : {object, why}) {
    if (part.empty()) continue;
    line += ": ";
    line += part;
  }
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return line;
}

}  // namespace

Error::Error(Status status, const std::string& attempted, const std::string& object, const std::string& why,
             std::string hint)
    : std::runtime_error(sentence(attempted, object, why)),
      status_(status),
      why_(why),
      hint_(std::move(hint)) {}

Error system_error(Status status, const std::string& attempted, const std::string& object, int number) {
  const int code = number != 0 ? number : errno;
  return {status, attempted, object, std::generic_category().message(code)};
}

}  // namespace rackline
