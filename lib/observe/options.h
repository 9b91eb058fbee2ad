// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cli/program.h"
#include "net/page_server.h"
#include "observe/rounds.h"
#include "series/track.h"

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

// --span, --smoothing, --hold and --hysteresis of those that keep windows.
void takes_windows(cli::Options at, series::Policy& policy);
// An option such as --band, RESOURCE=HIGH, =LOW..HIGH or =off: each of `bands` is that of the one of
// `resources`.
void takes_bands(cli::Options at, const char* flag, std::span<const std::string_view> resources,
                 std::span<series::Edges> bands, const char* about);

// Where rounds come from and go to beside stdout.
struct Kept {
  std::string record, replay, listen;
};
// --record, --replay and --listen. Rounds of a recording come at no pace of ours, so --replay excludes the
// rest.
class KeptOptions {
 public:
  KeptOptions(cli::Options at, Kept& kept, const PaceOptions& pace);

  cli::Option& replay() { return replay_; }
  const cli::Option& record() const { return record_; }
  const cli::Option& listen() const { return listen_; }

 private:
  cli::Option record_, replay_, listen_;
};

// Serves the pages of --listen, "ADDRESS[:PORT]" with ":PORT" for every address, until it is destroyed; null
// where `listen` is empty. Throws Error(kUnreachable) where it cannot listen.
std::unique_ptr<net::PageServer> serve_metrics(cli::Program& program, const std::string& listen,
                                               std::uint16_t port);

}  // namespace rackline::observe
