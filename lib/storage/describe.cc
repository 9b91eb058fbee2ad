// SPDX-License-Identifier: Apache-2.0
#include "storage/describe.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace rackline::storage {
namespace {

// One LUN of one target, as tgtd numbers both.
using TgtKey = std::pair<std::uint32_t, std::uint32_t>;

struct Rates {
  double reads = 0, writes = 0, read_bytes = 0, written_bytes = 0;  // a second
  std::uint64_t outstanding = 0;
};

// tgtd counts commands in 32 bits.
std::uint64_t since(std::uint64_t before, std::uint64_t now) {
  return now >= before ? now - before : now + (std::uint64_t{1} << 32) - before;
}

// The counters are of sessions and go with them: a session that is new has done all of its own since it was
// there, and what one did that has gone meanwhile is lost.
std::map<TgtKey, Rates> rates_of(const TgtView& tgt,
                                 const std::set<std::pair<std::uint32_t, std::uint64_t>>& ours) {
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>, iscsi::TgtCounters> before;
  if (tgt.before) {
    for (const auto& counters : *tgt.before)
      before[{counters.target, counters.lun, counters.session}] = counters;
  }
  const double seconds = static_cast<double>(tgt.window.count()) / 1000;
  std::map<TgtKey, Rates> rates;
  for (const auto& now : tgt.now) {
    if (ours.contains({now.target, now.session})) continue;
    Rates& sum = rates[{now.target, now.lun}];
    sum.outstanding += now.outstanding;
    if (seconds <= 0) continue;
    iscsi::TgtCounters then;
    const auto found = before.find({now.target, now.lun, now.session});
    const bool same = found != before.end() && found->second.read_bytes <= now.read_bytes &&
                      found->second.written_bytes <= now.written_bytes;
    if (same) then = found->second;
    sum.reads += static_cast<double>(since(then.read_commands, now.read_commands)) / seconds;
    sum.writes += static_cast<double>(since(then.write_commands, now.write_commands)) / seconds;
    sum.read_bytes += static_cast<double>(now.read_bytes - then.read_bytes) / seconds;
    sum.written_bytes += static_cast<double>(now.written_bytes - then.written_bytes) / seconds;
  }
  return rates;
}

std::string short_name(const LunKey& key, bool alone) {
  const auto colon = key.iqn.rfind(':');
  std::string name =
      colon == std::string::npos || colon + 1 == key.iqn.size() ? key.iqn : key.iqn.substr(colon + 1);
  return alone ? name : name + "/" + std::to_string(key.number);
}

record::Integer integer(std::optional<std::uint64_t> value) {
  return value ? record::Integer(static_cast<std::int64_t>(*value)) : std::nullopt;
}

void take_view(const LunView& view, record::LunSample& lun) {
  const iscsi::LunFacts& facts = view.facts;
  lun.serial = facts.serial;
  lun.naa = facts.naa;
  if (facts.capacity) {
    lun.size_bytes = static_cast<std::int64_t>(facts.capacity->blocks * facts.capacity->block_bytes);
    lun.block_bytes = facts.capacity->block_bytes;
    lun.physical_block_bytes = facts.capacity->physical_block_bytes;
    lun.thin = facts.capacity->thin;
  }
  lun.allocated_bytes = integer(view.mapped_bytes);
  lun.read_only = facts.write_protected;
  if (facts.provisioning)
    lun.discard = facts.provisioning->unmap || facts.provisioning->write_same_unmap ? "claimed" : "no";
  if (facts.keys && !facts.keys->truncated)
    lun.reservation_keys = static_cast<std::int64_t>(facts.keys->keys.size());
  if (facts.reservation) lun.reserved = facts.reservation->has_value();
}

// Sums what all LUNs know; null where one does not.
template <typename Sum, typename Part>
void add_up(const std::vector<record::LunSample>& luns, std::optional<Sum> record::ArraySample::*sum,
            std::optional<Part> record::LunSample::*part, record::ArraySample& array) {
  Sum all{};
  for (const auto& lun : luns) {
    if (!(lun.*part)) return;
    all += *(lun.*part);
  }
  array.*sum = all;
}

void take_room(const record::Array& inventory, const iscsi::TgtRoom& room,
               const std::vector<record::LunSample>& luns, record::ArraySample& array) {
  array.size_bytes = inventory.size_bytes ? inventory.size_bytes : integer(room.size_bytes);
  array.free_bytes = integer(room.free_bytes);
  if (array.size_bytes && array.free_bytes) {
    array.used_bytes = std::max<std::int64_t>(0, *array.size_bytes - *array.free_bytes);
    return;
  }
  add_up(luns, &record::ArraySample::used_bytes, &record::LunSample::allocated_bytes, array);
  if (array.size_bytes && array.used_bytes)
    array.free_bytes = std::max<std::int64_t>(0, *array.size_bytes - *array.used_bytes);
}

// What tgtd says of a LUN beside what the LUN says itself.
void take_tgt(const TgtView& tgt, const iscsi::TgtTarget& target, const iscsi::TgtLun& own,
              const std::map<TgtKey, Rates>& rates, const std::string& initiator, record::LunSample& lun) {
  if (!lun.serial && !own.serial.empty()) lun.serial = own.serial;
  if (!lun.thin) lun.thin = own.thin;
  if (!lun.read_only) lun.read_only = own.read_only;
  if (const auto file = tgt.room.allocated_bytes.find(own.backing_path);
      file != tgt.room.allocated_bytes.end())
    lun.allocated_bytes = integer(file->second);
  lun.consumers.emplace();
  for (const auto& session : target.sessions) {
    if (session.initiator == initiator) continue;
    lun.consumers->push_back(session.initiator + "@" + session.address);
  }
  std::sort(lun.consumers->begin(), lun.consumers->end());
  const auto found = rates.find({target.id, own.number});
  const Rates rate = found != rates.end() ? found->second : Rates{};
  lun.outstanding = static_cast<std::int64_t>(rate.outstanding);
  if (!tgt.before) return;
  lun.read_iops = rate.reads;
  lun.write_iops = rate.writes;
  lun.read_bytes_per_second = rate.read_bytes;
  lun.write_bytes_per_second = rate.written_bytes;
}

// What is known of a LUN, and by whom.
struct Found {
  const iscsi::TgtTarget* target = nullptr;
  const iscsi::TgtLun* own = nullptr;
  const LunView* view = nullptr;
};

// What there is: tgtd names also what refuses our login.
std::map<LunKey, Found> find_luns(const std::optional<TgtView>& tgt, const std::map<LunKey, LunView>& luns) {
  std::map<LunKey, Found> found;
  if (tgt) {
    for (const auto& target : tgt->targets) {
      for (const auto& lun : target.luns) {
        if (lun.type == "disk") found[{target.iqn, static_cast<std::uint16_t>(lun.number)}] = {&target, &lun};
      }
    }
  }
  for (const auto& [key, view] : luns) {
    if (!tgt || found.contains(key)) found[key].view = &view;
  }
  return found;
}

std::set<std::pair<std::uint32_t, std::uint64_t>> sessions_of(const TgtView& tgt,
                                                              const std::string& initiator) {
  std::set<std::pair<std::uint32_t, std::uint64_t>> ours;
  for (const auto& target : tgt.targets) {
    for (const auto& session : target.sessions) {
      if (session.initiator == initiator) ours.emplace(target.id, session.id);
    }
  }
  return ours;
}

void add_up_load(const std::vector<record::LunSample>& luns, record::ArraySample& array) {
  add_up(luns, &record::ArraySample::outstanding, &record::LunSample::outstanding, array);
  add_up(luns, &record::ArraySample::read_iops, &record::LunSample::read_iops, array);
  add_up(luns, &record::ArraySample::write_iops, &record::LunSample::write_iops, array);
  add_up(luns, &record::ArraySample::read_bytes_per_second, &record::LunSample::read_bytes_per_second, array);
  add_up(luns, &record::ArraySample::write_bytes_per_second, &record::LunSample::write_bytes_per_second,
         array);
}

}  // namespace

record::ArraySample head_of(const record::Array& array) {
  record::ArraySample sample;
  sample.array = array.array;
  sample.driver = array.driver.value_or("scsi");
  sample.failure_domain = array.failure_domain;
  sample.tier = array.tier;
  sample.encrypted = array.encrypted;
  sample.drained = array.drained;
  sample.block_bytes = array.block_bytes;
  return sample;
}

Described describe(const record::Array& array, const std::optional<TgtView>& tgt,
                   const std::map<LunKey, LunView>& luns, const std::map<std::string, Lost>& lost,
                   const std::string& initiator) {
  const auto found = find_luns(tgt, luns);
  std::map<std::string, int> numbers;  // of LUNs, by target
  for (const auto& [key, of] : found) ++numbers[key.iqn];
  const auto rates = tgt ? rates_of(*tgt, sessions_of(*tgt, initiator)) : std::map<TgtKey, Rates>{};
  Described described;
  for (const auto& [key, of] : found) {
    record::LunSample& lun = described.luns.emplace_back();
    lun.lun = short_name(key, numbers[key.iqn] == 1);
    lun.array = array.array;
    lun.iqn = key.iqn;
    lun.lun_number = key.number;
    lun.sources.emplace();
    if (of.view != nullptr) {
      take_view(*of.view, lun);
      lun.sources->emplace_back("scsi");
    } else if (const auto why = lost.find(key.iqn); why != lost.end()) {
      lun.error = why->second.why;
    }
    if (of.own != nullptr) {
      take_tgt(*tgt, *of.target, *of.own, rates, initiator, lun);
      lun.sources->emplace_back("tgt");
      if (!of.own->online) lun.error = "it is offline";
    }
    const bool seen = (lun.consumers && !lun.consumers->empty()) || lun.reservation_keys.value_or(0) > 0;
    lun.in_use = seen ? "yes" : lun.consumers ? "no" : "unknown";
  }

  record::ArraySample& sample = described.array = head_of(array);
  sample.state = "up";
  sample.luns = static_cast<std::int64_t>(described.luns.size());
  add_up(described.luns, &record::ArraySample::promised_bytes, &record::LunSample::size_bytes, sample);
  take_room(array, tgt ? tgt->room : iscsi::TgtRoom{}, described.luns, sample);
  if (tgt) add_up_load(described.luns, sample);
  if (tgt && tgt->before) sample.window_ms = tgt->window.count();
  return described;
}

}  // namespace rackline::storage
