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
  if (!report.ejected.empty()) moved.ejected = report.ejected;
  if (!report.copied.empty()) moved.copied = report.copied;
  moved.copied_bytes = report.copied_bytes;
  return moved;
}

record::Progress record_of(const Move& move, const MoveProgress& progress) {
  record::Progress shown;
  shown.id = move.id;
  shown.object = move.vm;
  shown.state = progress.state;
  if (!progress.job || progress.job->total_bytes + progress.job->disk_total_bytes <= 0) return shown;
  const JobStats& job = *progress.job;
  // Of what has to be sent by present knowledge: a guest that dirties its memory makes that more. While disks
  // are copied, their figures alone tell how far it is: libvirt knows nothing of the memory yet.
  const std::int64_t sent = job.transferred_bytes + job.disk_transferred_bytes;
  const std::int64_t remaining = job.remaining_bytes + job.disk_remaining_bytes;
  const std::int64_t rate = job.total_bytes > 0 ? job.bytes_per_second : job.disk_bytes_per_second;
  const auto known = static_cast<double>(sent + remaining);
  if (known > 0) shown.percent = std::round(1000.0 * static_cast<double>(sent) / known) / 10;
  shown.remaining_bytes = remaining;
  shown.bytes_per_second = rate;
  if (rate > 0) shown.eta_ms = remaining * 1000 / rate;
  if (job.disk_total_bytes > 0) {
    shown.disk_bytes = job.disk_transferred_bytes;
    shown.disk_total_bytes = job.disk_total_bytes;
  }
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
                        host.memory_reserve_bytes.value_or(0),
                        host.migration_uri.value_or("")};
  }
  return hosts;
}

}  // namespace rackline::migrate
