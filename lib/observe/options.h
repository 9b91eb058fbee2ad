// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/program.h"
#include "net/page_server.h"
#include "observe/rounds.h"

namespace rackline::observe {

// -i,--interval and -c,--count, the same for every observer. `interval_about` is the line of the former in
// the help.
class PaceOptions {
 public:
  PaceOptions(cli::Options at, Pace& pace, const std::string& interval_about);

  // Within the body. `also`: rounds are asked for in another way too, and `by` says how, as in " or
  // --follow". Throws Error(kUsage).
  void settle(bool also = false, const std::string& by = {});

  const cli::Option& interval() const { return interval_; }
  const cli::Option& count() const { return count_; }

 private:
  Pace& pace_;
  cli::Option interval_, count_;
};

// Serves the pages of --listen, "ADDRESS[:PORT]" with ":PORT" for every address, until it is destroyed; null
// where `listen` is empty. Throws Error(kUnreachable) where it cannot listen.
std::unique_ptr<net::PageServer> serve_metrics(cli::Program& program, const std::string& listen,
                                               std::uint16_t port);

}  // namespace rackline::observe
