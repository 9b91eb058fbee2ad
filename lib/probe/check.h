// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/time.h"

namespace rackline::probe {

// How a service proves that it serves, and the text form of each.

// "tcp:ADDRESS:PORT", ADDRESS in brackets where it has colons: it takes a connection and does not hang up at
// once.
struct Tcp {
  std::string address, port;
};
// "http://ADDRESS[:PORT][/PATH]" or https: the answer to GET has a status from 200 to 399. No redirect is
// followed, and a URL with a user in it is refused: it would bring the password into records.
struct Http {
  std::string url;
};
// "command:LINE": /bin/sh runs LINE, which ends with status 0. What it leaves behind is killed.
struct Command {
  std::string line;
};
// "file:PATH:AGE": PATH was written within AGE, such as 5m, by the wall clock.
struct File {
  std::string path;
  Milliseconds age{0};
};
using Check = std::variant<Tcp, Http, Command, File>;

// Nullopt when the text is none of them.
std::optional<Check> parse(std::string_view text);

struct Answer {
  bool ok = false;
  std::string why = {};  // it is not, for a person
};

// Asks once; no answer within `timeout` is a no. Resolving the name of an address may take longer.
// Throws Error(kUnreachable) where no question can be asked, as when no process can be started.
Answer probe(const Check& check, Milliseconds timeout);

}  // namespace rackline::probe
