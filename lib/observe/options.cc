// SPDX-License-Identifier: Apache-2.0
#include "observe/options.h"

#include "base/error.h"
#include "net/udp.h"
#include "series/metrics.h"

namespace rackline::observe {

PaceOptions::PaceOptions(cli::Options at, Pace& pace, const std::string& interval_about)
    : pace_(pace),
      interval_(at.duration("-i,--interval", pace.interval, interval_about).hides_default()),
      count_(at.number("-c,--count", pace.count, "end after N rounds", {.least = 1})) {}

void PaceOptions::settle(bool also, const std::string& by) {
  if (interval_.given() && pace_.interval <= Milliseconds{0})
    throw Error(Status::kUsage, "read the command line", "--interval", "0 is no interval");
  pace_.repeats = also || interval_.given();
  if (count_.given() && !pace_.repeats)
    throw Error(Status::kUsage, "read the command line", "--count", "it needs --interval" + by);
}

std::unique_ptr<net::PageServer> serve_metrics(cli::Program& program, const std::string& listen,
                                               std::uint16_t port) {
  if (listen.empty()) return nullptr;
  // ":9750" is every address, as elsewhere.
  const std::string at = (listen.starts_with(':') ? "0.0.0.0" : "") + listen;
  auto server =
      std::make_unique<net::PageServer>(net::resolve(at, port), "/metrics", series::Metrics::kContentType);
  program.note("metrics are at " + server->url());
  return server;
}

}  // namespace rackline::observe
