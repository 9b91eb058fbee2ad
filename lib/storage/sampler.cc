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
  access.patience = std::max(Milliseconds{1}, deadline - clock_.monotonic());
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
    described = {};
    described.array.array = array_.array;
    described.array.state = suspect_ ? "timeout" : "unreachable";
    described.array.error = error.why();
    described.array.driver = array_.driver.value_or("scsi");
    described.array.failure_domain = array_.failure_domain;
    described.array.tier = array_.tier;
    // Counters from before an outage are no base for rates, nor is what was there then a fact now.
    counted_.reset();
    known_.clear();
    refused_.clear();
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
  look(tgt, deadline);
  if (tgt) {
    interrupt::wait_until(clock_, std::min(began + window, deadline), false);
    finish_tgt(*tgt, deadline);
  }
  std::map<LunKey, LunView> views;
  for (const auto& [key, known] : known_) views.emplace(key, known.view);
  Described described = describe(array_, tgt, views, lost_, initiator_);
  probe_once(described, deadline);
  return described;
}

TgtView Sampler::ask_tgt(Milliseconds deadline) {
  const auto left = [&] { return std::max(Milliseconds{1}, deadline - clock_.monotonic()); };
  TgtView view;
  view.targets = tgt_.targets(left());
  if (!counted_ && patience_.window > Milliseconds{0}) {
    const Milliseconds at = clock_.monotonic();
    counted_ = Counted{tgt_.counters(left()), at};
  }
  return view;
}

void Sampler::finish_tgt(TgtView& view, Milliseconds deadline) {
  const auto left = [&] { return std::max(Milliseconds{1}, deadline - clock_.monotonic()); };
  std::vector<std::string> paths;
  for (const auto& target : view.targets) {
    for (const auto& lun : target.luns) {
      if (lun.type == "disk") paths.push_back(lun.backing_path);
    }
  }
  try {
    view.room = tgt_.room(paths, left());
  } catch (const Error& error) {
    if (error.status() == Status::kTimeout) throw;  // what is free is then not known; all else is
  }
  const Milliseconds at = clock_.monotonic();
  view.now = tgt_.counters(left());
  if (counted_) {
    view.before = std::move(counted_->counters);
    view.window = at - counted_->at;
  }
  counted_ = Counted{view.now, at};
}

// Asks the LUNs that were never asked, or may have changed.
void Sampler::look(const std::optional<TgtView>& tgt, Milliseconds deadline) {
  const Milliseconds now = clock_.monotonic();
  const Access access = this->access(deadline);
  std::map<LunKey, std::string> listed;
  std::vector<std::string> targets;
  if (tgt) {
    for (const auto& target : tgt->targets) {
      bool wanted = false;
      for (const auto& lun : target.luns) {
        if (lun.type != "disk") continue;
        const LunKey key{target.iqn, static_cast<std::uint16_t>(lun.number)};
        const std::string listing = listing_of(lun);
        const auto found = known_.find(key);
        wanted = wanted || found == known_.end() || found->second.listed != listing ||
                 now - found->second.view.asked >= kViewAge;
        listed[key] = listing;
      }
      const auto refused = refused_.find(target.iqn);
      if (wanted && (refused == refused_.end() || now - refused->second >= kRefusalAge))
        targets.push_back(target.iqn);
    }
    std::erase_if(known_, [&](const auto& entry) { return !listed.contains(entry.first); });
  } else {
    // Without a driver nothing else tells that the array lives, and which targets it has.
    const auto all = discover(clock_, access);
    std::erase_if(known_, [&](const auto& entry) {
      return std::find(all.begin(), all.end(), entry.first.iqn) == all.end();
    });
    for (const auto& target : all) {
      const bool fresh = std::any_of(known_.begin(), known_.end(), [&](const auto& entry) {
        return entry.first.iqn == target && now - entry.second.view.asked < kViewAge;
      });
      const auto refused = refused_.find(target);
      if (!fresh && (refused == refused_.end() || now - refused->second >= kRefusalAge))
        targets.push_back(target);
    }
  }
  if (targets.empty()) return;
  // tgtd finds out what is mapped by a walk that stops all its LUNs, and the size of its files says the same.
  Visited visited = visit(clock_, access, targets, [&](const LunKey&) { return !tgt; });
  commands_ += visited.commands;
  for (const auto& target : targets) {
    lost_.erase(target);
    refused_.erase(target);
    std::erase_if(known_, [&](const auto& entry) { return entry.first.iqn == target; });
  }
  for (auto& [target, why] : visited.lost) {
    refused_[target] = now;
    lost_[target] = std::move(why);
  }
  for (auto& [key, view] : visited.luns) known_[key] = {std::move(view), listed[key]};
}

// One LUN stands for its array: what waits there waits for the whole of it.
void Sampler::probe_once(Described& described, Milliseconds deadline) {
  const auto chosen = std::find_if(known_.begin(), known_.end(), [&](const auto& entry) {
    return entry.second.view.facts.capacity && !lost_.contains(entry.first.iqn);
  });
  if (chosen == known_.end()) return;
  const auto times =
      probe(clock_, access(deadline), chosen->first, *chosen->second.view.facts.capacity, kProbes, round_);
  commands_ += static_cast<std::int64_t>(times.size());
  if (times.empty()) return;
  described.array.probe_p50_ms = percentile(times, 0.5);
  described.array.probe_p95_ms = percentile(times, 0.95);
}

}  // namespace rackline::storage
