// SPDX-License-Identifier: Apache-2.0
#include "migrate/records.h"

#include <algorithm>
#include <cmath>

#include "base/id.h"
#include "migrate/journal.h"

namespace rackline::migrate {

Move move_of(const record::VmMove& decision) {
  // A person writes who, from where and where to.
  const std::string id = decision.id.empty() ? random_id() : decision.id;
  const std::int64_t stage = std::max<std::int64_t>(decision.stage, 1);
  return {
      id,    decision.cause,       decision.vm, decision.from, decision.to, decision.uuid, decision.domain_id,
      stage, decision.memory_bytes};
}

record::VmMoved record_of(const Move& move, const MoveReport& report) {
  record::VmMoved moved;
  moved.id = move.id;
  moved.cause = move.cause;
  moved.vm = move.vm;
  moved.uuid = report.uuid ? report.uuid : move.uuid;
  moved.from = move.from;
  moved.to = move.to;
  moved.stage = move.stage;
  moved.outcome = act::word_of(report.outcome, report.planned);
  if (!report.reason.empty()) moved.reason = report.reason;
  if (report.planned) moved.planned = true;
  moved.live = report.live;
  if (report.attempts > 0) {
    moved.postcopy = report.postcopy;
    moved.attempts = report.attempts;
  }
  moved.elapsed_ms = report.elapsed.count();
  if (report.downtime) moved.downtime_ms = report.downtime->count();
  moved.memory_bytes = report.memory_bytes ? report.memory_bytes : move.memory_bytes;
  moved.transferred_bytes = report.transferred_bytes;
  moved.iterations = report.iterations;
  return moved;
}

record::Progress record_of(const Move& move, const MoveProgress& progress) {
  record::Progress shown;
  shown.id = move.id;
  shown.object = move.vm;
  shown.state = progress.state;
  if (!progress.job || progress.job->total_bytes <= 0) return shown;
  const JobStats& job = *progress.job;
  // Of what has to be sent by present knowledge: a guest that dirties its memory makes that more.
  const auto known = static_cast<double>(job.transferred_bytes + job.remaining_bytes);
  if (known > 0) shown.percent = std::round(1000.0 * static_cast<double>(job.transferred_bytes) / known) / 10;
  shown.remaining_bytes = job.remaining_bytes;
  shown.bytes_per_second = job.bytes_per_second;
  if (job.bytes_per_second > 0) shown.eta_ms = job.remaining_bytes * 1000 / job.bytes_per_second;
  return shown;
}

std::map<std::string, MigrationHost> migration_hosts(const std::vector<record::Host>& inventory) {
  std::map<std::string, MigrationHost> hosts;
  for (const auto& host : inventory) {
    hosts[host.host] = {host.host,
                        host.uri,
                        host.peer_uri.value_or(host.uri),
                        host.shared_storage.value_or(std::vector<std::string>{}),
                        host.failure_domain,
                        host.memory_reserve_bytes.value_or(0)};
  }
  return hosts;
}

}  // namespace rackline::migrate
