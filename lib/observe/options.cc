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

void takes_windows(cli::Options at, series::Policy& policy) {
  at.duration("--span", policy.shape.span, "how far back windows reach");
  at.duration("--smoothing", policy.shape.smoothing, "age at which a sample weighs 1/e in the average");
  at.duration("--hold", policy.band.hold, "time outside, or back, before it is told");
  at.percent("--hysteresis", policy.band.hysteresis_percent,
             "back is only what is so far inside the edge, as a share of it");
}

void takes_bands(cli::Options at, const char* flag, std::span<const std::string_view> resources,
                 std::span<series::Edges> bands, const char* about) {
  at.read(
      flag, [resources, bands](const std::string& given) { series::parse_bands(given, resources, bands); },
      about, "BAND");
}

KeptOptions::KeptOptions(cli::Options at, Kept& kept, const PaceOptions& pace)
    : record_(
          at.text("--record", kept.record, "append the rounds to FILE", "FILE").offers(cli::Values::kFiles)),
      replay_(at.text("--replay", kept.replay, "rounds of FILE, - for stdin, through the windows", "FILE")
                  .offers(cli::Values::kFiles)),
      listen_(at.text("--listen", kept.listen, "ADDRESS[:PORT] where Prometheus finds /metrics", "ADDRESS")) {
  replay_.excludes({pace.interval(), pace.count(), listen_, record_});
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
