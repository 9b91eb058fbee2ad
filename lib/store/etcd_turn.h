// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "store/store.h"

namespace rackline::store {

// The updates of one name have a key whose revision each of them moves. So one that read the store before
// another wrote it fails; one that was delivered twice holds once; and one whose answer was lost finds its id
// there: "COUNT ID:BEFORE ID:BEFORE ...", how many there have been, and of the latest the ids with the
// revision that the key had before. By that older ones are found too, in etcd's own history.
struct EtcdTurn {
  struct Done {
    std::string id;
    std::int64_t before = 0;
  };
  std::int64_t revision = 0, count = 0;
  std::vector<Done> latest;  // newest first

  static constexpr std::size_t kRemembered = 16;
  static EtcdTurn from(const Entry& entry) {
    EtcdTurn turn;
    turn.revision = entry.version;
    std::istringstream words(entry.value);
    words >> turn.count;
    Done done;
    while (std::getline(words >> std::ws, done.id, ':') && words >> done.before) turn.latest.push_back(done);
    return turn;
  }
  std::string next(const std::string& id) const {
    std::string text = std::to_string(count + 1) + " " + id + ":" + std::to_string(revision);
    for (std::size_t i = 0; i < std::min(latest.size(), kRemembered - 1); ++i)
      text += " " + latest[i].id + ":" + std::to_string(latest[i].before);
    return text;
  }
  // The revision that the update with one of these ids got.
  std::optional<std::int64_t> find(const std::vector<std::string>& ids) const {
    std::int64_t got = revision;
    for (const auto& done : latest) {
      if (std::find(ids.begin(), ids.end(), done.id) != ids.end()) return got;
      got = done.before;
    }
    return std::nullopt;
  }
};

}  // namespace rackline::store
