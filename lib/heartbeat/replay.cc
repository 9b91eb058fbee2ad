// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/replay.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "record/writer.h"

namespace rackline::heartbeat {
namespace {

constexpr Milliseconds kLongest{600'000};

// The silence after which the detector, as it is now, says that the host is dead.
Milliseconds verdict_after(const Detector& detector, Milliseconds last, const DetectorPolicy& policy) {
  Milliseconds alive{0};
  Milliseconds dead = kLongest;
  while (dead - alive > Milliseconds{1}) {
    const Milliseconds middle = (alive + dead) / 2;
    (detector.dead(last + middle, policy) ? dead : alive) = middle;
  }
  return dead;
}

double percentile(const std::vector<double>& sorted, double share) {
  const auto index = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(index, 1, sorted.size()) - 1];
}

}  // namespace

void TraceFile::write(record::HeartbeatSeen seen, const Clock& clock) {
  seen.time = clock.wall();
  seen.tool = "heartbeat";
  file_.follow_name();
  file_.write(record::to_line(seen) + "\n");
}

void Trace::add(const record::HeartbeatSeen& seen) {
  hosts_[seen.host].seen.emplace_back(seen.at_ms);
}

void Trace::add(const record::HostDied& died) {
  hosts_[died.host].died = Milliseconds{died.at_ms};
}

record::DetectorScore Trace::score(const DetectorPolicy& policy) const {
  record::DetectorScore score;
  const bool fixed = policy.kind == DetectorPolicy::Kind::kFixed;
  score.detector = fixed ? "fixed" : "phi";
  score.parameter = fixed ? static_cast<double>(policy.dead.count()) : policy.phi;
  std::vector<double> times;
  double watched_ms = 0;
  for (const auto& [name, host] : hosts_) {
    Detector detector;
    auto seen = host.seen;
    std::sort(seen.begin(), seen.end());
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (host.died && seen[i] > *host.died) break;
      detector.heard(seen[i], policy);
      const bool last = i + 1 == seen.size() || (host.died && seen[i + 1] > *host.died);
      if (!last) {
        watched_ms += static_cast<double>((seen[i + 1] - seen[i]).count());
        if (detector.dead(seen[i + 1], policy)) ++score.false_positives;
        continue;
      }
      if (!host.died) continue;
      const Milliseconds verdict = seen[i] + verdict_after(detector, seen[i], policy);
      if (verdict < *host.died) ++score.false_positives;
      times.push_back(static_cast<double>(std::max(verdict - *host.died, Milliseconds{0}).count()));
    }
    if (host.died) ++score.deaths;
  }
  std::sort(times.begin(), times.end());
  score.detected = static_cast<std::int64_t>(times.size());
  if (!times.empty()) {
    score.detection_ms = percentile(times, 0.5);
    score.detection_p95_ms = percentile(times, 0.95);
    score.detection_max_ms = times.back();
  }
  constexpr double kHour = 3.6e6;
  if (watched_ms > 0)
    score.false_positives_per_host_hour = static_cast<double>(score.false_positives) * kHour / watched_ms;
  return score;
}

std::vector<record::DetectorScore> Trace::compare(Milliseconds interval,
                                                  const std::vector<double>& timeouts_ms,
                                                  const std::vector<double>& phis) const {
  std::vector<record::DetectorScore> scores;
  DetectorPolicy policy;
  policy.interval = interval;
  for (const double timeout : timeouts_ms) {
    policy.dead = Milliseconds{static_cast<Milliseconds::rep>(timeout)};
    scores.push_back(score(policy));
  }
  policy.kind = DetectorPolicy::Kind::kPhi;
  for (const double phi : phis) {
    policy.phi = phi;
    scores.push_back(score(policy));
  }
  return scores;
}

}  // namespace rackline::heartbeat
