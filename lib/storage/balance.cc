// SPDX-License-Identifier: Apache-2.0
#include "storage/balance.h"

#include <optional>
#include <utility>

#include "cli/bars.h"
#include "decide/required.h"
#include "decide/session.h"
#include "storage/balancer.h"

namespace rackline::storage {
namespace {

constexpr double kTib = 1099511627776.0;

cli::BarChart chart_of(const std::vector<ArrayOutlook>& arrays, const Policy& policy) {
  cli::BarChart chart{"ARRAY", "LUNS", {"SPACE", "LOAD"}, {}};
  for (const auto& array : arrays) {
    chart.rows.push_back({array.array,
                          std::to_string(array.luns_before) + " -> " + std::to_string(array.luns_after),
                          {{array.space_before, array.space_after, policy.space_percent},
                           {array.load_before, array.load_after, policy.load_percent}}});
  }
  return chart;
}

class Session : public decide::Session {
 public:
  Session(cli::Program& program, const BalanceOptions& options, Verb verb)
      : decide::Session(program), options_(options), verb_(verb), balancer_(options.policy) {
    read_file<record::PlacementRule>(options.rules, record::Policy::kRefuse,
                                     [this](record::Reader& reader) { take_rule(reader); });
    if (verb == Verb::kPlace && options.size.size_bytes > 0) add(options.size);
    read_file<record::LunMoved>(options.history, record::Policy::kSkip, [this](record::Reader& reader) {
      if (record::LunMoved moved; reader.read(moved)) balancer_.history().add(moved);
    });
  }

 private:
  void miss_line() override { balancer_.round().lines_skipped = true; }
  bool begun() override { return !balancer_.round().empty(); }
  bool answers_rounds() const override { return verb_ == Verb::kBalance; }
  bool first_only_tells() const override { return !options_.policy.hold; }
  record::Time end_round(record::Time time) override {
    balancer_.close(time);
    return balancer_.last().time;
  }
  std::optional<record::NoBeneficialMove> decide_on_nothing() override { return balancer_.balance().none; }

  void add(const record::LunRequest& request) {
    require_plausible(request);
    balancer_.add(request);
  }

  void take_rule(record::Reader& reader) {
    const auto rule = decide::required_rule(reader);
    if (rule.luns) balancer_.rules().add(rule);
  }

  bool take(record::Reader& reader) override {
    Round& round = balancer_.round();
    if (reader.is<record::LunSample>()) {
      if (record::LunSample lun; reader.read(lun)) {
        distrust(lun);
        round.luns.push_back(std::move(lun));
      }
    } else if (reader.is<record::ArraySample>()) {
      if (record::ArraySample array; reader.read(array)) {
        distrust(array);
        round.arrays.push_back(std::move(array));
      }
    } else if (reader.is<record::LunUsage>()) {
      if (record::LunUsage usage; reader.read(usage)) balancer_.hear(usage);
    } else if (reader.is<record::ArrayUsage>()) {
      // What its samples of the last while come to: a fact as they are, and no more to be handed on.
    } else {
      return take_notice(reader);
    }
    return false;
  }

  // What others want as well, and what people ask.
  bool take_notice(record::Reader& reader) {
    if (reader.is<record::PlacementRule>()) {
      take_rule(reader);
      return false;
    }
    if (reader.is<record::LunRequest>()) {
      add(decide::required_request<record::LunRequest>(reader));
      return false;
    }
    if (record::LunMoved moved; reader.is<record::LunMoved>()) {
      if (reader.read(moved)) balancer_.history().add(moved);
    } else if (record::Fluctuation fluctuation; reader.is<record::Fluctuation>()) {
      if (reader.read(fluctuation)) balancer_.hear(fluctuation);
    }
    return true;
  }

  Answer decide_round() override {
    Plan plan = balancer_.balance();
    if (plan.none) note_round(plan.none->reason);
    write(plan);
    return {!plan.moves.empty(), std::move(plan.none)};
  }

  void write(const Plan& plan) {
    cli::Output& out = program_.out();
    for (const auto& text : plan.left_out) note_once(text);
    for (const auto& text : plan.doubts) program_.warn(text);
    for (const auto& move : plan.moves) out.write(move);
    for (const auto& place : plan.places) out.write(place);
    for (const auto& unplaced : plan.unplaced) out.write(unplaced);
    if (out.format() == cli::Format::kTable && !plan.outlook.empty())
      out.illustrate(draw(chart_of(plan.outlook, options_.policy), cli::output_columns(), out.colour()));
    auto& summary = sum_up(plan);
    bytes_ += plan.bytes;
    gain_ += plan.score_before - plan.score_after;
    if (verb_ != Verb::kPlace) {
      summary.moves = moves_;
      summary.bytes = bytes_;
      if (bytes_ > 0) summary.gain_per_tib = gain_ / (static_cast<double>(bytes_) / kTib);
    }
    if (verb_ != Verb::kBalance) program_.end().unplaced = unplaced_;
  }

  Status finish() override {
    program_.end().outcome = "ok";  // also of a no: what could be told is whole
    switch (verb_) {
      case Verb::kCheck: {
        const record::StorageCheck check = balancer_.check();
        program_.out().write(check);
        return check.balanced ? Status::kDone : Status::kNo;
      }
      case Verb::kHeadroom:
        return headroom();
      case Verb::kExplain:
        for (const auto& name : options_.names) {
          const Explanations found = balancer_.explain(name);
          if (found.device) program_.out().write(*found.device);
          for (const auto& explanation : found.about) program_.out().write(explanation);
        }
        return Status::kDone;
      default: {
        const Plan plan = verb_ == Verb::kPlace ? balancer_.place() : balancer_.evacuate(options_.arrays);
        write(plan);
        if (plan.none) program_.out().write(*plan.none);
        return unplaced_ == 0 ? Status::kDone : Status::kNo;
      }
    }
  }

  Status headroom() {
    std::optional<record::LunRequest> size;
    if (options_.size.size_bytes > 0) {
      size = options_.size;
      size->lun.clear();
      require_plausible(*size);
    }
    bool enough = true;
    for (const auto& answer : balancer_.headroom(size)) {
      for (const auto& array : answer.arrays) program_.out().write(array);
      program_.out().write(answer.total);
      enough = enough && answer.total.fits >= options_.at_least;
    }
    return enough ? Status::kDone : Status::kNo;
  }

  const BalanceOptions& options_;
  Verb verb_;
  Balancer balancer_;
  std::int64_t bytes_ = 0;
  double gain_ = 0;
};

}  // namespace

Status balance(cli::Program& program, const BalanceOptions& options, Verb verb) {
  return Session(program, options, verb).run();
}

}  // namespace rackline::storage
