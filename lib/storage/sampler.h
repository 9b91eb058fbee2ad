// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "storage/describe.h"

namespace rackline::storage {

struct Patience {
  Milliseconds timeout{0};          // for all that an array is asked in a round, the window not counted
  Milliseconds suspect_timeout{0};  // as `timeout`, for an array that was late in the round before
  Milliseconds window{0};           // between two looks at the counters of an array that has no earlier ones
};

// Samples one array, round after round. What a LUN is, is asked for once and again when that may have
// changed; its use in each round.
class Sampler {
 public:
  Sampler(record::Array array, Patience patience, const Clock& clock);

  // Complete but for time and tool; the array's state says whether there was an answer. Returns at about the
  // timeout at the latest, and soon after a stop was asked for (interrupt.h).
  Described sample();

  const record::Array& array() const { return array_; }

 private:
  struct Counted {
    std::vector<iscsi::TgtCounters> counters;
    Milliseconds at{0};
  };

  Described ask();
  TgtView ask_tgt(Milliseconds deadline);
  void finish_tgt(TgtView& view, Milliseconds deadline);
  Milliseconds left(Milliseconds deadline) const;
  Access access(Milliseconds deadline) const;
  bool fresh(const LunView& view) const;
  std::vector<std::string> changed(const TgtView& tgt);
  std::vector<std::string> unseen(const Access& access);
  void look(const std::optional<TgtView>& tgt, const Access& access);
  void probe_once(Described& described, const Access& access);

  record::Array array_;
  Patience patience_;
  const Clock& clock_;
  std::string initiator_;
  iscsi::Tgt tgt_;
  bool is_tgt_;
  std::optional<Counted> counted_;
  std::map<LunKey, LunView> known_;
  std::map<LunKey, std::string> listed_;  // what tgtd said of them
  std::map<std::string, Lost> lost_;      // targets that did not say what they have, by IQN
  std::optional<Milliseconds> began_;     // the round before
  std::int64_t commands_ = 0;             // of ours in this round
  std::uint64_t round_ = 0;
  bool suspect_ = false;
};

}  // namespace rackline::storage
