// SPDX-License-Identifier: Apache-2.0
#include "storage/watch.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/interrupt.h"
#include "cluster/arrays.h"
#include "observe/asked.h"
#include "observe/options.h"
#include "series/recording.h"
#include "storage/exposition.h"
#include "storage/identity.h"
#include "storage/survey.h"

namespace rackline::storage {
namespace {

constexpr std::uint16_t kPort = 9751;

std::vector<record::Array> chosen_arrays(cli::Program& program, const std::vector<std::string>& names) {
  return observe::chosen(cluster::load_arrays(program.inventory_file()), names, &record::Array::array,
                         "array");
}

Patience patience_of(cli::Program& program, const WatchOptions& options) {
  const auto timeout = program.timeout();
  const auto& pace = options.pace;
  return {.timeout = timeout,
          .suspect_timeout = pace.repeats ? std::min(timeout, pace.interval * 4 / 5) : timeout,
          .window = pace.repeats ? std::min(options.window, pace.interval) : options.window};
}

// Writes rounds, and what follows from them.
class Writer {
 public:
  Writer(cli::Program& program, const WatchOptions& options)
      : program_(program),
        server_(observe::serve_metrics(program, options.listen, kPort)),
        silence_(program, "arrays") {
    if (options.follow) follower_.emplace(options.policy);
    if (!options.record.empty()) recording_.emplace(options.record, program.about().name);
    if (server_) page_.emplace(options.policy);
  }

  void add(record::ArraySample array) {
    ++arrays_;
    if (array.state == "up") {
      ++up_;
    } else {
      silence_.add(array.array, array.error.value_or(array.state));
    }
    take(std::move(array));
  }
  void add(record::LunSample lun) {
    luns_.push_back(lun);
    take(std::move(lun));
  }
  void add(Described described) {
    add(std::move(described.array));
    for (auto& lun : described.luns) add(std::move(lun));
  }

  void end_round(record::RoundEnd end, Milliseconds at) {
    if (end.tool.empty()) end.tool = program_.about().name;
    end.arrays = arrays_;
    end.arrays_up = up_;
    end.luns = static_cast<std::int64_t>(luns_.size());
    for (auto& conflict : identity_conflicts(luns_)) {
      conflict.time = end.time;
      program_.out().write(std::move(conflict));
    }
    if (follower_) tell(follower_->end_round(at, end.time));
    silence_.end_round(arrays_, up_);
    count(end);
    if (recording_) recording_->end_round(end);
    if (page_) server_->publish(page_->page(end));
    program_.out().write(std::move(end));
    luns_.clear();
    arrays_ = up_ = 0;
  }

  void finish() {
    if (!recording_) return;
    record::End end;
    end.time = program_.clock().wall();
    end.tool = program_.about().name;
    end.outcome = interrupt::requested() ? "interrupted" : "ok";
    recording_->end(end);
  }

  bool answered() const { return answered_; }

 private:
  template <class Sample>
  void take(Sample sample) {
    if (sample.tool.empty()) sample.tool = program_.about().name;
    if (sample.time == record::Time{}) sample.time = program_.clock().wall();
    if (follower_) follower_->add(sample);
    if (recording_) recording_->add(sample);
    if (page_) page_->add(sample);
    program_.out().write(std::move(sample));
  }

  void tell(Follower::Round round) {
    const auto write = [this](auto& records) {
      for (auto& record : records) {
        if (page_) page_->add(record);
        program_.out().write(std::move(record));
      }
    };
    fluctuations_ += std::count_if(round.fluctuations.begin(), round.fluctuations.end(),
                                   [](const auto& fluctuation) { return fluctuation.direction != "back"; });
    write(round.arrays);
    write(round.luns);
    write(round.fluctuations);
  }

  void count(const record::RoundEnd& end) {
    auto& summary = program_.summary<record::StorageSummary>();
    summary.rounds = summary.rounds.value_or(0) + 1;
    summary.arrays = end.arrays;
    summary.arrays_up = end.arrays_up;
    summary.luns = end.luns;
    if (follower_) summary.fluctuations = fluctuations_;
    answered_ = answered_ || up_ > 0;
  }

  cli::Program& program_;
  std::unique_ptr<net::PageServer> server_;
  std::optional<Follower> follower_;
  std::optional<series::RecordingWriter> recording_;
  std::optional<Exposition> page_;
  observe::Silence silence_;
  std::vector<record::LunSample> luns_;
  std::int64_t arrays_ = 0, up_ = 0, fluctuations_ = 0;
  bool answered_ = false;
};

// One round; see observe::Observer.
bool look(cli::Program& program, Survey& survey, Writer& writer) {
  observe::InOrder<Survey::Seen> seen(program.out().format() == cli::Format::kTable,
                                      [&](auto& one) { writer.add(std::move(one.described)); });
  const bool whole = survey.round([&](Survey::Seen one) { seen.add(std::move(one)); });
  seen.finish();
  return whole;
}

}  // namespace

Status watch(cli::Program& program, const WatchOptions& options) {
  Survey survey(chosen_arrays(program, options.arrays), patience_of(program, options), program.clock());
  Writer writer(program, options);
  observe::rounds(
      program.clock(), options.pace,
      {.look = [&](record::RoundEnd&) { return look(program, survey, writer); },
       .close = [&](const record::RoundEnd& end, Milliseconds at) { writer.end_round(end, at); }});
  writer.finish();
  if (writer.answered() || interrupt::requested()) return Status::kDone;
  throw Error(Status::kUnreachable, "sample the arrays", "all " + std::to_string(survey.size()),
              "none of them answered");
}

// Rounds that were sampled at another time: the same stream as then, with what the windows make of it now.
Status replay(cli::Program& program, const WatchOptions& options) {
  series::check_times(options.replay);  // before anything is written of it
  const auto reader = program.file_reader(options.replay, record::Policy::kSkip);
  Writer writer(program, options);
  std::vector<record::ArraySample> arrays;
  std::vector<record::LunSample> luns;
  const auto wanted = [&](const std::string& array) {
    return options.arrays.empty() || std::count(options.arrays.begin(), options.arrays.end(), array) > 0;
  };
  const auto take = [&](record::Reader& from) {
    if (from.is<record::ArraySample>()) {
      record::ArraySample array;
      if (from.read(array) && wanted(array.array)) arrays.push_back(std::move(array));
    } else if (from.is<record::LunSample>()) {
      record::LunSample lun;
      if (from.read(lun) && wanted(lun.array)) luns.push_back(std::move(lun));
    }
  };
  const auto drop = [&] {
    const bool any = !arrays.empty() || !luns.empty();
    arrays.clear();
    luns.clear();
    return any;
  };
  series::RoundReader rounds(*reader, options.replay == "-" ? "stdin" : options.replay,
                             {.take = take, .drop = drop},
                             [&](const std::string& text) { program.warn(text); });
  record::RoundEnd end;
  Milliseconds at{0};
  while (rounds.next(end, at)) {
    for (auto& array : std::exchange(arrays, {})) writer.add(std::move(array));
    for (auto& lun : std::exchange(luns, {})) writer.add(std::move(lun));
    writer.end_round(end, at);
  }
  return Status::kDone;
}

Status list(cli::Program& program, const WatchOptions& options) {
  program.describes_itself();
  const auto arrays = chosen_arrays(program, options.arrays);
  std::set<std::string> names;
  if (options.list == "arrays") {
    for (const auto& array : arrays) names.insert(array.array);
  } else {
    Patience patience = patience_of(program, options);
    patience.window = Milliseconds{0};
    Survey survey(arrays, patience, program.clock());
    survey.round([&](const Survey::Seen& seen) {
      const auto& array = seen.described.array;
      if (array.state != "up") program.note(array.array + ": " + array.error.value_or(array.state));
      for (const auto& lun : seen.described.luns) names.insert(lun.lun);
    });
  }
  observe::print_names({names.begin(), names.end()});
  return Status::kDone;
}

}  // namespace rackline::storage
