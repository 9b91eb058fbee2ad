// SPDX-License-Identifier: Apache-2.0
#include "storage/sampler.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/secret.h"
#include "cluster/arrays.h"

namespace rackline::storage {
namespace {

// What a LUN says that it is, is asked again after so long even when nothing hints at a change: registrations
// come and go without a hint, and without a driver so does what is allocated.
constexpr std::chrono::minutes kViewAge{10};
// A target that refuses us is not pestered in each round.
constexpr std::chrono::minutes kRefusalAge{5};
constexpr int kProbes = 20;

std::string default_initiator() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) name[0] = '\0';
  std::string iqn = "iqn.2026-11.rackline:lunwatch.";
  for (const char c : std::string_view(name.data())) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    iqn += letter ? c : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : '-';
  }
  return iqn;
}

// What hints at a change of a LUN.
std::string listing_of(const iscsi::TgtLun& lun) {
  return lun.serial + '\n' + lun.scsi_id + '\n' + lun.backing_path + '\n' + (lun.online ? "1" : "0") +
         (lun.read_only ? "1" : "0") + (lun.thin ? "1" : "0") + lun.size;
}

double percentile(std::vector<std::chrono::microseconds> times, double share) {
  std::sort(times.begin(), times.end());
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(times.size()));
  constexpr double kPerMillisecond = 1000;
  return static_cast<double>(times[std::min(rank, times.size() - 1)].count()) / kPerMillisecond;
}

}  // namespace

Sampler::Sampler(record::Array array, Patience patience, const Clock& clock)
    : array_(std::move(array)),
      patience_(patience),
      clock_(clock),
      initiator_(array_.initiator.value_or(default_initiator())),
      tgt_(array_.admin.value_or(std::vector<std::string>{}), array_.control.value_or(0)),
      is_tgt_(array_.driver == "tgt") {}

Milliseconds Sampler::left(Milliseconds deadline) const {
  return std::max(Milliseconds{1}, deadline - clock_.monotonic());
}

Access Sampler::access(Milliseconds deadline) const {
  Access access;
  access.login.portal = cluster::portal_address(array_);
  access.login.initiator = initiator_;
  if (array_.chap_user)
    access.login.chap = {*array_.chap_user, read_secret(*array_.chap_password_file), {}, {}};
  if (array_.chap_target_user) {
    access.login.chap.target_user = *array_.chap_target_user;
    access.login.chap.target_password = read_secret(*array_.chap_target_password_file);
  }
  access.deadline = deadline;
  access.patience = left(deadline);
  return access;
}

Described Sampler::sample() {
  const Milliseconds began = clock_.monotonic();
  commands_ = 0;
  Described described;
  try {
    described = ask();
    suspect_ = false;
    if (began_) {
      const double seconds = static_cast<double>((began - *began_).count()) / 1000;
      if (seconds > 0) described.array.own_iops = static_cast<double>(commands_) / seconds;
    }
  } catch (const Error& error) {
    suspect_ = error.status() == Status::kTimeout;
    described = {head_of(array_), {}};
    described.array.state = suspect_ ? "timeout" : "unreachable";
    described.array.error = error.why();
    // Counters from before an outage are no base for rates, nor is what was there then a fact now.
    counted_.reset();
    known_.clear();
    lost_.clear();
  }
  began_ = began;
  described.array.elapsed_ms = (clock_.monotonic() - began).count();
  return described;
}

Described Sampler::ask() {
  const Milliseconds began = clock_.monotonic();
  const Milliseconds window = is_tgt_ && !counted_ ? patience_.window : Milliseconds{0};
  const Milliseconds deadline = began + window + (suspect_ ? patience_.suspect_timeout : patience_.timeout);
  ++round_;
  std::optional<TgtView> tgt;
  if (is_tgt_) tgt = ask_tgt(deadline);
  const Access access = this->access(deadline);
  look(tgt, access);
  if (tgt) {
    if (counted_) interrupt::wait_until(clock_, std::min(counted_->at + window, deadline), false);
    finish_tgt(*tgt, deadline);
  }
  Described described = describe(array_, tgt, known_, lost_, initiator_);
  probe_once(described, access);
  return described;
}

TgtView Sampler::ask_tgt(Milliseconds deadline) {
  TgtView view;
  view.targets = tgt_.targets(left(deadline));
  if (!counted_ && patience_.window > Milliseconds{0}) {
    const Milliseconds at = clock_.monotonic();
    counted_ = Counted{tgt_.counters(left(deadline)), at};
  }
  return view;
}

void Sampler::finish_tgt(TgtView& view, Milliseconds deadline) {
  std::vector<std::string> paths;
  for (const auto& target : view.targets) {
    for (const auto& lun : target.luns) {
      if (lun.type == "disk") paths.push_back(lun.backing_path);
    }
  }
  try {
    view.room = tgt_.room(paths, left(deadline));
  } catch (const Error& error) {
    if (error.status() == Status::kTimeout) throw;  // what is free is then not known; all else is
  }
  const Milliseconds at = clock_.monotonic();
  view.now = tgt_.counters(left(deadline));
  if (counted_) {
    view.before = std::move(counted_->counters);
    view.window = at - counted_->at;
  }
  counted_ = Counted{view.now, at};
}

bool Sampler::fresh(const LunView& view) const {
  return clock_.monotonic() - view.asked < kViewAge;
}

// The targets of which a LUN was never asked, or long ago, or is listed otherwise than before.
std::vector<std::string> Sampler::changed(const TgtView& tgt) {
  std::map<LunKey, std::string> listed;
  std::vector<std::string> targets;
  for (const auto& target : tgt.targets) {
    bool same = true;
    for (const auto& lun : target.luns) {
      if (lun.type != "disk") continue;
      const LunKey key{target.iqn, static_cast<std::uint16_t>(lun.number)};
      const std::string& listing = listed[key] = listing_of(lun);
      const auto view = known_.find(key);
      same = same && view != known_.end() && fresh(view->second) && listed_[key] == listing;
    }
    if (!same) targets.push_back(target.iqn);
  }
  listed_ = std::move(listed);
  std::erase_if(known_, [&](const auto& entry) { return !listed_.contains(entry.first); });
  return targets;
}

// Those of which no LUN was asked of late. Without a driver nothing but their list tells that the array
// lives.
std::vector<std::string> Sampler::unseen(const Access& access) {
  auto targets = discover(clock_, access);
  std::erase_if(known_, [&](const auto& entry) {
    return std::find(targets.begin(), targets.end(), entry.first.iqn) == targets.end();
  });
  std::erase_if(targets, [&](const std::string& target) {
    return std::any_of(known_.begin(), known_.end(),
                       [&](const auto& entry) { return entry.first.iqn == target && fresh(entry.second); });
  });
  return targets;
}

// Asks the LUNs that were never asked, or may have changed.
void Sampler::look(const std::optional<TgtView>& tgt, const Access& access) {
  auto targets = tgt ? changed(*tgt) : unseen(access);
  std::erase_if(targets, [&](const std::string& target) {
    const auto lost = lost_.find(target);
    return lost != lost_.end() && clock_.monotonic() - lost->second.at < kRefusalAge;
  });
  if (targets.empty()) return;
  // tgtd finds out what is mapped by a walk that stops all its LUNs, and the size of its files says the same.
  Visited visited = visit(clock_, access, targets, [&](const LunKey&) { return !tgt; });
  commands_ += visited.commands;
  for (const auto& target : targets) {
    lost_.erase(target);
    std::erase_if(known_, [&](const auto& entry) { return entry.first.iqn == target; });
  }
  lost_.merge(visited.lost);
  known_.merge(visited.luns);
}

// One LUN stands for its array: what waits there waits for the whole of it.
void Sampler::probe_once(Described& described, const Access& access) {
  const auto chosen = std::find_if(known_.begin(), known_.end(), [&](const auto& entry) {
    return entry.second.facts.capacity && !lost_.contains(entry.first.iqn);
  });
  if (chosen == known_.end()) return;
  const auto times = probe(clock_, access, chosen->first, *chosen->second.facts.capacity, kProbes, round_);
  commands_ += static_cast<std::int64_t>(times.size());
  if (times.empty()) return;
  described.array.probe_p50_ms = percentile(times, 0.5);
  described.array.probe_p95_ms = percentile(times, 0.95);
}

}  // namespace rackline::storage
