// SPDX-License-Identifier: Apache-2.0
// What is asked without a plan: room, and reasons.
#include <algorithm>
#include <cstdio>
#include <map>

#include "base/error.h"
#include "base/joined.h"
#include "plan/headroom.h"
#include "storage/balancer.h"

namespace rackline::storage {
namespace {

constexpr std::size_t kArraysInText = 4;
constexpr double kLeastGain = 1e-6;     // what is less is rounding
constexpr const char* kProbe = "\x01";  // a name that no LUN has and that no rule can speak of

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// What is usual here: half of the LUNs are no larger.
record::LunRequest usual_size(const Round& round) {
  std::vector<std::int64_t> sizes;
  for (const auto& lun : round.luns) {
    if (lun.size_bytes.value_or(0) > 0) sizes.push_back(*lun.size_bytes);
  }
  if (sizes.empty())
    throw Error(Status::kUsage, "headroom", "the size", "there is no LUN whose size could be taken",
                "--size SIZE, or a lun_request in the input");
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  record::LunRequest request;
  request.size_bytes = *middle;
  return request;
}

Headroom headroom_of(const Fleet& fleet, const Words& words, const record::LunRequest& asked) {
  const plan::State state(fleet.model);
  const int probe = fleet.model.items() - 1;
  const plan::HeadroomAnswer found = plan::headroom(state, probe, false, asked.iops.has_value());
  Headroom answer;
  std::map<std::string, int> constraints;
  std::vector<std::string> told;
  for (int bin = 0; bin < fleet.model.bins(); ++bin) {
    const auto& one = found.bins[index(bin)];
    record::ArrayRoom& room = answer.arrays.emplace_back();
    room.array = fleet.array(bin);
    room.fits = one.fits;
    if (fleet.model.state(bin) != plan::BinState::kFrozen)
      room.free_bytes = fleet.model.capacity(bin, kSpace) - state.used(bin, kSpace);
    room.constraint = one.load ? "load" : words.constraint(probe, bin, one.next);
    room.reason =
        one.load ? "its load would be above its threshold" : words.obstacle(state, probe, bin, one.next);
    // What an array that is out of use would say of itself is no answer to what blocks the next one.
    if (*room.constraint == "held" || *room.constraint == "drained" || *room.constraint == "tier") continue;
    ++constraints[*room.constraint];
    told.push_back(room.array + ": " + room.reason);
  }
  record::LunHeadroom& total = answer.total;
  if (asked.lun != kProbe) total.lun = asked.lun;
  total.fits = found.fits;
  total.size_bytes = asked.size_bytes;
  total.tier = asked.tier;
  const auto most = std::max_element(constraints.begin(), constraints.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  total.constraint = most == constraints.end() ? "held" : most->first;
  total.reason = told.empty() ? "no array may take any" : joined_some(told, kArraysInText);
  return answer;
}

// The plan that balance would make, on the fleet before it.
class Inquiry {
 public:
  Inquiry(const Fleet& fleet, const Words& words, const Plan& plan)
      : fleet_(fleet), words_(words), no_plan_(plan.none ? plan.none->reason : ""), before_(fleet.model) {
    for (const auto& move : plan.moves) moves_[move.lun + "\n" + move.from] = &move;
  }

  const record::LunMove* move_of(int item) const {
    const auto found = moves_.find(fleet_.lun(item).name + "\n" + fleet_.array(fleet_.model.start(item)));
    return found == moves_.end() ? nullptr : found->second;
  }

  std::vector<record::LunExplanation> of_lun(int item) const {
    std::vector<record::LunExplanation> found;
    const record::LunMove* move = move_of(item);
    for (int bin = 0; bin < fleet_.model.bins(); ++bin) {
      if (bin != fleet_.model.start(item)) found.push_back(candidate(item, bin, move));
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
      return a.gain.value_or(-1e9) > b.gain.value_or(-1e9);
    });
    record::LunExplanation head = about(item);
    head.answer = move != nullptr ? "moves" : "stays";
    if (move != nullptr) {
      head.target = move->to;
      head.reason = move->reason;
    } else if (fleet_.model.frozen(item)) {
      head.reason = fleet_.lun(item).frozen;
    } else if (const auto& array = fleet_.arrays[index(fleet_.model.start(item))]; !array.frozen.empty()) {
      head.reason = array.name + ": " + array.frozen;
    } else if (found.empty()) {
      head.reason = "there is no other array";
    } else {
      head.reason = "the best for it would be " + *found.front().target + ": " + found.front().reason;
    }
    found.insert(found.begin(), std::move(head));
    return found;
  }

  std::vector<record::LunExplanation> of_array(int bin) const {
    std::vector<record::LunExplanation> found;
    int gives = 0;
    int takes = 0;
    for (int item = 0; item < fleet_.model.items(); ++item) {
      const record::LunMove* move = move_of(item);
      const bool comes = move != nullptr && move->to == fleet_.array(bin);
      gives += move != nullptr && fleet_.model.start(item) == bin ? 1 : 0;
      takes += comes ? 1 : 0;
      if (fleet_.model.start(item) != bin && !comes) continue;
      found.push_back(of_lun(item).front());
      if (comes) found.back().answer = "comes";
    }
    const auto& array = fleet_.arrays[index(bin)];
    record::LunExplanation head;
    head.array = array.name;
    head.answer = !array.frozen.empty() ? "left_out"
                  : gives > 0           ? (takes > 0 ? "gives_and_takes" : "gives")
                  : takes > 0           ? "takes"
                                        : "unchanged";
    const std::string over = words_.overload(before_, bin);
    head.reason = !array.frozen.empty() ? array.frozen : over.empty() ? words_.load(before_, bin) : over;
    if (array.frozen.empty() && gives + takes == 0 && !no_plan_.empty()) head.reason += "; " + no_plan_;
    if (!array.closed.empty()) head.reason += "; " + array.closed;
    found.insert(found.begin(), std::move(head));
    return found;
  }

 private:
  record::LunExplanation about(int item) const {
    record::LunExplanation record;
    record.lun = fleet_.lun(item).name;
    record.array = fleet_.array(fleet_.model.start(item));
    return record;
  }

  record::LunExplanation candidate(int item, int bin, const record::LunMove* move) const {
    record::LunExplanation record = about(item);
    record.target = fleet_.array(bin);
    const bool chosen = move != nullptr && move->to == *record.target;
    if (const plan::Obstacle obstacle = before_.obstacle(item, bin); obstacle && !chosen) {
      record.answer = "forbidden";
      record.constraint = words_.constraint(item, bin, obstacle);
      record.reason = words_.obstacle(before_, item, bin, obstacle);
      return record;
    }
    record.gain = before_.score() - before_.score_with_shift(item, bin);
    record.gain_needed = fleet_.model.move_cost(item);
    const std::string sum = "the score would fall by " + number(*record.gain) + ", and its bytes cost " +
                            number(*record.gain_needed);
    if (chosen) {
      record.answer = "moves";
      record.reason = move->reason;
    } else if (*record.gain <= *record.gain_needed + kLeastGain) {
      record.answer = "no_gain";
      record.reason = sum;
    } else if (move != nullptr) {
      record.answer = "not_best";
      record.reason = sum + "; " + move->to + " was chosen";
    } else {
      record.answer = "not_needed";
      record.reason =
          sum + ", but " + (no_plan_.empty() ? std::string("the plan does without it") : no_plan_);
    }
    return record;
  }

  const Fleet& fleet_;
  const Words& words_;
  std::string no_plan_;
  plan::State before_;
  std::map<std::string, const record::LunMove*> moves_;
};

}  // namespace

std::vector<Headroom> Balancer::headroom(const std::optional<record::LunRequest>& size) const {
  std::vector<record::LunRequest> sizes = requests_;
  if (size) sizes = {*size};
  if (sizes.empty()) sizes = {usual_size(closed_)};
  std::vector<Headroom> answers;
  for (auto& asked : sizes) {
    if (asked.lun.empty()) asked.lun = kProbe;
    Question question;
    question.requests = {asked};
    const Fleet fleet = fleet_for(question);
    answers.push_back(headroom_of(fleet, Words(fleet, rules_, policy_), asked));
  }
  return answers;
}

Explanations Balancer::explain(const std::string& name) const {
  Balancer twin = *this;  // a plan that is only asked about leaves no trace
  const Plan plan = twin.balance();
  const Question question = balance_question();
  const Fleet fleet = fleet_for(question);
  const Words words(fleet, rules_, policy_);
  const Inquiry inquiry(fleet, words, plan);
  Explanations found;
  const auto append = [&found](const std::vector<record::LunExplanation>& more) {
    found.about.insert(found.about.end(), more.begin(), more.end());
  };
  for (int item = 0; item < fleet.model.items(); ++item) {
    if (fleet.lun(item).name == name) append(inquiry.of_lun(item));
  }
  if (const int bin = fleet.find_array(name); bin != plan::kNowhere) {
    append(inquiry.of_array(bin));
    if (const auto device = learnt_.devices.find(name); device != learnt_.devices.end())
      found.device = device->second.record(name, policy_.load_percent / 100);
  }
  if (found.about.empty())
    throw Error(Status::kUsage, "explain", name, "there is no such LUN or array in the input");
  return found;
}

}  // namespace rackline::storage
