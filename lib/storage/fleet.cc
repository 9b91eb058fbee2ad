// SPDX-License-Identifier: Apache-2.0
#include "storage/fleet.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "base/joined.h"
#include "base/time.h"
#include "base/units.h"
#include "storage/identity.h"

namespace rackline::storage {
namespace {

constexpr double kSpaceWeight = 0.5;
constexpr double kLoadWeight = 0.1;
constexpr double kOverload = 2;
constexpr double kLeastMoveCost = 1e-3;  // of any move, divided by the number of arrays
// Of an array whose device is not known: the part of the time that it is taken to bear being busy, which is a
// wider margin than the usual threshold.
constexpr double kCautious = 0.6;
constexpr plan::Amount kUnlimited = plan::Amount{1} << 60;

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

plan::Amount thousandths(double load) {
  return static_cast<plan::Amount>(std::llround(load * 1000));
}

struct ArrayFacts {
  const record::ArraySample* sample = nullptr;
  int samples = 0;
  std::int64_t luns = 0;
  plan::Amount allocated = 0, load = 0;
};

class Builder {
 public:
  Builder(const Round& round, const LunRules& rules, const Policy& policy, const Learnt& learnt,
          const Question& question)
      : round_(round),
        rules_(rules),
        policy_(policy),
        learnt_(learnt),
        question_(question),
        fleet_{plan::Model({{.name = "space", .transient = true, .balance_weight = kSpaceWeight},
                            {.name = "promised space", .transient = true},
                            {.name = "load", .balance_weight = question.load_counts ? kLoadWeight : 0}}),
               {},
               {}} {}

  Fleet build() {
    collect();
    for (const auto& [name, facts] : arrays_) add_array(name, facts);
    add_groups();
    for (const auto* lun : luns_) add_lun(*lun);
    for (const auto& request : question_.requests) add_request(request);
    return std::move(fleet_);
  }

 private:
  void collect();
  void add_array(const std::string& name, const ArrayFacts& facts);
  void add_groups();
  void add_lun(const record::LunSample& lun);
  void add_request(const record::LunRequest& request);
  void add_item(Fleet::Lun lun, plan::Item item);

  std::string why_frozen(const ArrayFacts& facts) const;
  std::string why_frozen(const record::LunSample& lun, const std::string& key) const;
  std::vector<plan::Supply> supplies(const ArrayFacts& facts, Fleet::ArrayState& array) const;
  plan::Amount allocated(const record::LunSample& lun) const;
  const std::vector<bool>& fits();
  int class_of(int from);

  const Round& round_;
  const LunRules& rules_;
  const Policy& policy_;
  const Learnt& learnt_;
  const Question& question_;
  Fleet fleet_;
  std::map<std::string, ArrayFacts> arrays_;
  std::vector<const record::LunSample*> luns_;
  decide::ByName<int> seen_;                             // how often, by identity
  std::set<std::string> ambiguous_;                      // ARRAY/LUN
  std::map<std::string, std::vector<int>> rule_groups_;  // by LUN
  std::map<std::string, int> domains_;
  std::map<std::string, std::vector<bool>> fits_;  // arrays, by what an item asks of them
  std::map<std::vector<bool>, int> classes_;
  double bytes_ = 0;  // of all LUNs
};

// Without knowledge of what is written, a LUN is taken to be full.
plan::Amount Builder::allocated(const record::LunSample& lun) const {
  const plan::Amount size = lun.size_bytes.value_or(lun.allocated_bytes.value_or(0));
  const bool thick = lun.thin.has_value() && !*lun.thin;
  return thick ? std::max(size, lun.allocated_bytes.value_or(0)) : lun.allocated_bytes.value_or(size);
}

void Builder::collect() {
  for (const auto& array : round_.arrays) {
    ArrayFacts& facts = arrays_[array.array];
    facts.sample = &array;
    ++facts.samples;
  }
  for (const auto& lun : round_.luns) {
    ArrayFacts& facts = arrays_[lun.array];
    ++facts.luns;
    facts.allocated += allocated(lun);
    facts.load += thousandths(load_of(lun).value_or(0));
    bytes_ += static_cast<double>(allocated(lun));
    ++seen_[identity(lun)];
    luns_.push_back(&lun);
  }
  std::sort(luns_.begin(), luns_.end(), [](const auto* a, const auto* b) {
    return std::tie(a->lun, a->array, a->iqn, a->lun_number) <
           std::tie(b->lun, b->array, b->iqn, b->lun_number);
  });
  for (const auto& conflict : identity_conflicts(round_.luns)) {
    ambiguous_.insert(conflict.luns.begin(), conflict.luns.end());
  }
}

std::string Builder::why_frozen(const ArrayFacts& facts) const {
  if (facts.sample == nullptr) return "there is no sample of it";
  const record::ArraySample& array = *facts.sample;
  if (facts.samples > 1) return "there are two samples of it";        // @rule 07-array-twice
  if (array.state != "up") return "it is not up but " + array.state;  // @rule 07-array-not-up
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(round_.time - array.time);
  if (age > policy_.stale)
    return "its sample is stale: " + format_duration(age) + " old";  // @rule 07-array-stale
  if (-age > policy_.stale) return "its sample is from the future: " + format_duration(-age) + " ahead";
  if (!array.size_bytes || *array.size_bytes <= 0 || !array.used_bytes)
    return "its room is unknown";  // @rule 07-array-room
  // @rule 07-luns-unknown
  if (array.luns ? *array.luns != facts.luns : round_.lines_skipped) return "not all of its LUNs are known";
  return {};
}

std::vector<plan::Supply> Builder::supplies(const ArrayFacts& facts, Fleet::ArrayState& array) const {
  std::vector<plan::Supply> result(index(fleet_.model.resources()));
  plan::Supply& load = result[kLoad];
  load.reserve = -kUnlimited;
  load.safety = kUnlimited;
  if (facts.sample == nullptr) return result;
  const record::ArraySample& sample = *facts.sample;
  plan::Supply& space = result[kSpace];
  space.size = sample.size_bytes.value_or(0);
  space.base = std::max<plan::Amount>(0, sample.used_bytes.value_or(0) - facts.allocated);
  space.overcommit = policy_.space_percent / 100;
  space.reserve = space.base + policy_.reserve_bytes;
  space.safety = static_cast<plan::Amount>(static_cast<double>(space.size) * space.overcommit);
  if (space.size > 0) space.overload_cost = kOverload / static_cast<double>(space.size);
  plan::Supply& promise = result[kPromise];
  promise.size = space.size;
  promise.overcommit = policy_.overcommit;

  const double threshold = policy_.load_percent / 100;
  const auto device = learnt_.devices.find(array.name);
  if (device == learnt_.devices.end()) {
    array.fit.why_not = "nothing is known of its device";
    return result;
  }
  if (const auto fit = learnt_.fits.find(array.name); fit != learnt_.fits.end()) array.fit = fit->second;
  const double least = device->second.least_latency_ms();
  array.bearable = array.fit.known()
                       ? threshold * array.fit.most_load
                       : std::max(device->second.most_load(), least > 0 ? kCautious * 1000 / least : 0);
  load.size = thousandths(array.bearable / threshold);
  const auto measured = load_of(sample);
  if (measured) load.base = thousandths(*measured) - facts.load;
  if (!array.fit.known() || load.size <= 0) return result;
  load.overcommit = threshold;  // @rule 05-array-load
  load.reserve = std::max<plan::Amount>(0, load.base);
  if (!question_.load_counts || (question_.spikes && question_.spikes(array.name))) return result;
  load.safety = thousandths(array.bearable);
  load.overload_cost = kOverload / static_cast<double>(load.size);
  return result;
}

void Builder::add_array(const std::string& name, const ArrayFacts& facts) {
  Fleet::ArrayState array;
  array.name = name;
  array.sample = facts.sample;
  array.frozen = why_frozen(facts);
  const bool leaving =
      std::find(question_.leaving.begin(), question_.leaving.end(), name) != question_.leaving.end();
  if (question_.closed_array) array.closed = question_.closed_array(name);
  const bool drained = facts.sample != nullptr && facts.sample->drained.value_or(false);
  const plan::BinState state = !array.frozen.empty()              ? plan::BinState::kFrozen
                               : leaving                          ? plan::BinState::kLeaving
                               : drained || !array.closed.empty() ? plan::BinState::kClosed
                                                                  : plan::BinState::kOpen;
  // An array of which nothing is said is a failure domain by itself.
  const std::string domain = facts.sample != nullptr && facts.sample->failure_domain
                                 ? "domain " + *facts.sample->failure_domain
                                 : "array " + name;
  const int number = domains_.emplace(domain, static_cast<int>(domains_.size())).first->second;
  const std::vector<plan::Supply> supplies = this->supplies(facts, array);
  fleet_.model.add_bin(supplies, state, number);
  fleet_.arrays.push_back(std::move(array));
}

void Builder::add_groups() {
  for (const auto& rule : rules_.all()) {
    const std::string names = joined(*rule.luns);
    plan::Group group;
    if (rule.rule == "spread") {
      const int domains = static_cast<int>(rule.domains.value_or(0));
      group = {.name = "spread of " + names, .per_domain = domains > 0 ? 0 : 1, .min_domains = domains};
    } else if (rule.rule == "affinity") {
      group = {.name = "affinity of " + names, .together = true};
    } else if (rule.rule == "anti_affinity") {
      group = {.name = "anti-affinity of " + names, .per_bin = 1};
    } else {
      continue;
    }
    const int number = fleet_.model.add_group(std::move(group));
    for (const auto& lun : std::set<std::string>(rule.luns->begin(), rule.luns->end()))
      rule_groups_[lun].push_back(number);
  }
}

std::string Builder::why_frozen(const record::LunSample& lun, const std::string& key) const {
  // On its way, or held there after its move: it counts on both.
  if (seen_.at(key) > 1) return "it is seen on two arrays";  // @rule 07-lun-twice
  if (ambiguous_.contains(lun.array + "/" + lun.lun))
    return "another LUN has its identity";  // @rule 13-ambiguous-lun
  if (!lun.size_bytes) return "its size is unknown";
  if (lun.reservation_keys.value_or(0) > 0 || lun.reserved.value_or(false))
    return "keys of persistent reservations are registered with it";                  // @rule 13-reserved-lun
  if (lun.consumers && lun.consumers->size() > 1) return "it has several consumers";  // @rule 13-shared-lun
  for (const auto& rule : rules_.all()) {
    const bool leaves =
        std::find(question_.leaving.begin(), question_.leaving.end(), lun.array) != question_.leaving.end();
    if (rule.rule == "stay" && !leaves && LunRules::binds(rule, lun.lun))
      return "a rule lets it stay where it is";
  }
  return question_.held_lun ? question_.held_lun(lun) : std::string();
}

// Arrays that are of the tier, the block and the encryption of the last item.
const std::vector<bool>& Builder::fits() {
  const int item = static_cast<int>(fleet_.luns.size()) - 1;
  const Fleet::Lun& lun = fleet_.luns.back();
  const std::string key = lun.request != nullptr
                              ? "request " + std::to_string(item)
                              : lun.sample->array + " " + std::to_string(lun.sample->block_bytes.value_or(0));
  auto& fits = fits_[key];
  if (!fits.empty()) return fits;
  for (int bin = 0; bin < fleet_.model.bins(); ++bin) fits.push_back(unfit(fleet_, item, bin).first.empty());
  return fits;
}

// Where the last item may be. Whatever an array asks of others, it has what is there.
int Builder::class_of(int from) {
  const Fleet::Lun& lun = fleet_.luns.back();
  std::vector<bool> allowed = fits();
  if (from != plan::kNowhere) allowed[index(from)] = true;
  for (const auto& name : lun.left) {
    const int bin = fleet_.find_array(name);
    if (bin != plan::kNowhere && bin != from) allowed[index(bin)] = false;  // @rule 06-lun-returns
  }
  for (const auto& rule : rules_.all()) {
    if ((rule.rule != "pin" && rule.rule != "exclude") || !LunRules::binds(rule, lun.name)) continue;
    for (int bin = 0; bin < fleet_.model.bins(); ++bin) {
      if (LunRules::names_array(rule, fleet_.array(bin)) != (rule.rule == "pin")) allowed[index(bin)] = false;
    }
  }
  if (std::find(allowed.begin(), allowed.end(), false) == allowed.end()) return 0;
  const auto known = classes_.find(allowed);
  if (known != classes_.end()) return known->second;
  return classes_[allowed] = fleet_.model.add_class(allowed);
}

void Builder::add_item(Fleet::Lun lun, plan::Item item) {
  item.frozen = !lun.frozen.empty();
  if (const auto found = rule_groups_.find(lun.name); found != rule_groups_.end())
    item.groups = found->second;
  fleet_.luns.push_back(std::move(lun));
  item.item_class = class_of(item.start);
  fleet_.model.add_item(item);
}

void Builder::add_lun(const record::LunSample& sample) {
  Fleet::Lun lun;
  lun.name = sample.lun;
  lun.key = identity(sample);
  lun.sample = &sample;
  lun.frozen = why_frozen(sample, lun.key);
  if (question_.left) lun.left = question_.left(sample);
  plan::Item item;
  item.start = fleet_.find_array(sample.array);
  const plan::Amount now = allocated(sample);
  const auto growth = learnt_.growth.find(place_of(sample.array, sample.iqn, sample.lun_number));
  const double hours = std::chrono::duration<double, std::ratio<3600>>(policy_.growth).count();
  const double grown = growth == learnt_.growth.end() ? 0 : std::max(0.0, growth->second * hours);
  const plan::Amount size = sample.size_bytes.value_or(now);
  const auto then = static_cast<plan::Amount>(std::min(static_cast<double>(now) + grown, 1e16));
  const plan::Amount load = thousandths(load_of(sample).value_or(0));
  item.demands = {{std::max(now, std::min(then, size)), now}, {size, 0}, {load, load}};
  item.move_cost = policy_.margin * static_cast<double>(now) / std::max(1.0, bytes_) +
                   kLeastMoveCost / static_cast<double>(arrays_.size());
  add_item(std::move(lun), std::move(item));
}

void Builder::add_request(const record::LunRequest& request) {
  Fleet::Lun lun;
  lun.name = request.lun;
  lun.request = &request;
  const plan::Amount now = std::min(request.allocated_bytes.value_or(request.size_bytes), request.size_bytes);
  const plan::Amount load =
      thousandths(load_of(request.iops.value_or(0), request.bytes_per_second.value_or(0)));
  plan::Item item;
  item.demands = {{now, now}, {request.size_bytes, 0}, {load, load}};
  add_item(std::move(lun), std::move(item));
}

}  // namespace

std::map<std::string, Device::Fit> fits_of(const Round& round, const std::map<std::string, Device>& devices,
                                           double utilisation) {
  std::map<std::string, Device::Fit> fits;
  std::map<std::string, double> slowest;  // alone, in milliseconds, by tier
  for (const auto& array : round.arrays) {
    const auto device = devices.find(array.array);
    if (device == devices.end()) continue;
    const Device::Fit& fit = fits[array.array] = device->second.fit();
    double& slow = slowest[array.tier.value_or("")];
    if (fit.known()) slow = std::max(slow, fit.intercept_ms);
  }
  for (const auto& array : round.arrays) {
    const auto found = fits.find(array.array);
    const auto load = load_of(array);
    const double alone = slowest[array.tier.value_or("")];
    if (found == fits.end() || found->second.known() || alone <= 0 || !load || *load <= 0) continue;
    const double latency = array.probe_p50_ms.value_or(0);
    const double busy = latency > 0 ? 1 - alone / latency : 0;
    if (busy <= utilisation) continue;
    found->second = {
        .intercept_ms = alone, .slope_ms = 1000 * busy / *load, .most_load = *load / busy, .why_not = {}};
  }
  return fits;
}

std::string place_of(const std::string& array, const std::string& iqn, std::int64_t lun_number) {
  return array + "\n" + iqn + "\n" + std::to_string(lun_number);
}

int Fleet::find_array(const std::string& name) const {
  const auto found =
      std::lower_bound(arrays.begin(), arrays.end(), name,
                       [](const ArrayState& array, const std::string& n) { return array.name < n; });
  return found != arrays.end() && found->name == name ? static_cast<int>(found - arrays.begin())
                                                      : plan::kNowhere;
}

std::pair<std::string, std::string> unfit(const Fleet& fleet, int item, int bin) {
  const Fleet::Lun& lun = fleet.lun(item);
  const auto* to = fleet.arrays[index(bin)].sample;
  if (to == nullptr) return {};
  const int from = lun.sample == nullptr ? plan::kNowhere : fleet.find_array(lun.sample->array);
  const auto* own = from == plan::kNowhere ? nullptr : fleet.arrays[index(from)].sample;
  const record::Text tier = lun.request != nullptr ? lun.request->tier
                            : own != nullptr       ? own->tier
                                                   : std::nullopt;
  const bool any = lun.request != nullptr && !tier;
  if (!any && tier != to->tier)
    return {"tier",
            "another tier (" + to->tier.value_or("none") + " instead of " + tier.value_or("none") + ")"};
  const record::Integer block = lun.request != nullptr ? lun.request->block_bytes : lun.sample->block_bytes;
  if (to->block_bytes && block && *to->block_bytes != *block)
    return {"block", "its LUNs have blocks of " + std::to_string(*to->block_bytes) + " bytes"};
  const record::Flag encrypted = lun.request != nullptr ? lun.request->encrypted
                                 : own != nullptr       ? own->encrypted
                                                        : std::nullopt;
  if (encrypted.value_or(false) && !to->encrypted.value_or(false))
    return {"encryption", "it does not encrypt"};
  return {};
}

Fleet make_fleet(const Round& round, const LunRules& rules, const Policy& policy, const Learnt& learnt,
                 const Question& question) {
  return Builder(round, rules, policy, learnt, question).build();
}

}  // namespace rackline::storage
