// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "record/kinds_storage.h"
#include "series/track.h"
#include "series/trend.h"

namespace rackline::storage {

// What is watched of arrays, and of LUNs the last two of them: room in percent, milliseconds of a probe,
// commands and bytes a second.
enum class Resource { kSpace, kLatency, kIops, kBytes };
inline constexpr std::array<std::string_view, 4> kArrayResources{"space", "latency", "iops", "bytes"};
inline constexpr std::array<std::string_view, 2> kLunResources{"iops", "bytes"};

using ArrayBands = std::array<series::Edges, kArrayResources.size()>;
using LunBands = std::array<series::Edges, kLunResources.size()>;

struct FollowPolicy : series::Policy {
  // What latency and load are usual differs from array to array, room does not.
  ArrayBands arrays{{{.high = 85}, {}, {}, {}}};
  LunBands luns{};
};

// Follows arrays and LUNs through rounds of samples: windows of their use, and the fluctuations when it
// leaves its band. Time is what the rounds say; who was not seen for a whole span is forgotten.
class Follower {
 public:
  explicit Follower(FollowPolicy policy) : policy_(policy) {}

  // Samples of the present round.
  void add(const record::ArraySample& array);
  void add(const record::LunSample& lun);

  // Complete but for `tool`, in the order of names.
  struct Round {
    std::vector<record::ArrayUsage> arrays;
    std::vector<record::LunUsage> luns;
    std::vector<record::Fluctuation> fluctuations;
  };
  // Closes the round. `at` is on a clock that never steps and not before that of the round before; `time` is
  // what the records are stamped with.
  Round end_round(Milliseconds at, record::Time time);

 private:
  template <std::size_t kCount>
  struct Object {
    std::array<series::Track, kCount> tracks;
    series::LongTrend growth;           // of the bytes that it occupies
    std::optional<double> bytes, size;  // of the present round
    std::string array, lun, iqn;
    std::int64_t number = 0;
    std::optional<Milliseconds> known;  // with a figure in it
    Milliseconds met{0};
    bool seen = false;  // in the present round
  };
  using Array = Object<kArrayResources.size()>;
  using Lun = Object<kLunResources.size()>;

  template <class Objects, class Bands>
  void follow(Objects& objects, const Bands& bands, const series::Moment& moment, Round& round);
  record::ArrayUsage usage_of(const Array& array, Milliseconds at) const;
  record::LunUsage usage_of(const Lun& lun, Milliseconds at) const;

  FollowPolicy policy_;
  std::map<std::string, Array> arrays_;
  std::map<std::string, Lun> luns_;  // by array, target and number
};

}  // namespace rackline::storage
