// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "decide/by_name.h"
#include "plan/model.h"
#include "storage/device.h"
#include "storage/facts.h"

namespace rackline::storage {

// The resources of the model.
inline constexpr int kSpace = 0;    // bytes that are occupied, or will soon be
inline constexpr int kPromise = 1;  // bytes that LUNs may occupy at most
inline constexpr int kLoad = 2;     // thousandths of load_of()

// What the rounds of a stream have taught.
struct Learnt {
  std::map<std::string, Device> devices;    // by array
  std::map<std::string, Device::Fit> fits;  // likewise, as of the last round
  decide::ByName<double> growth;            // bytes an hour, by place_of() LUNs
};

// What each array of the round is taken to bear. An array that was busy whenever it was seen has no line of
// its own. It is taken to be as fast alone as the slowest of its tier, and if it answers so much slower now
// that it would be above `utilisation`, that tells how busy it is.
std::map<std::string, Device::Fit> fits_of(const Round& round, const std::map<std::string, Device>& devices,
                                           double utilisation);

// Where a LUN is: array, target and number.
std::string place_of(const std::string& array, const std::string& iqn, std::int64_t lun_number);

// What the translation depends on beside the round.
struct Question {
  std::vector<std::string> leaving;  // arrays to be emptied
  std::vector<record::LunRequest> requests;
  bool load_counts = true;  // for the score; that nothing goes where it would be too much is so anyhow
  std::function<std::string(const record::LunSample&)> held_lun;  // why it may not move; empty: it may
  std::function<bool(const std::string&)> spikes;  // arrays whose load is high for too short a time to count
  std::function<std::string(const std::string&)> closed_array;  // why nothing goes there; empty: it may
  std::function<std::set<std::string>(const record::LunSample&)> left;  // arrays that it may not go back to
};

// A round as a model, arrays as bins and LUNs as items, and the way back to names; both in the order of their
// names, so that the order of the records does not matter.
//
// Space is hard and transient: a LUN in flight occupies room on both arrays. The capacity of an array is its
// threshold and not its size, so that no plan brings one above it at any instant, and what a LUN occupies is
// what it will after growing for Policy::growth. The load of an array is hard as well where its device is
// known. What is not known makes an array or a LUN frozen.
struct Fleet {
  struct Lun {
    std::string name, key;                      // key: identity()
    const record::LunSample* sample = nullptr;  // nullptr: a request
    const record::LunRequest* request = nullptr;
    std::string frozen;  // why, empty when it is not
    std::set<std::string> left;
  };
  struct ArrayState {
    std::string name;
    const record::ArraySample* sample = nullptr;  // nullptr: named by LUNs only
    std::string frozen, closed;
    Device::Fit fit;
    double bearable = 0;  // load up to its threshold, or what it was seen to bear
  };

  plan::Model model;
  std::vector<ArrayState> arrays;
  std::vector<Lun> luns;

  const std::string& array(int bin) const { return arrays[static_cast<std::size_t>(bin)].name; }
  const Lun& lun(int item) const { return luns[static_cast<std::size_t>(item)]; }
  int find_array(const std::string& name) const;  // plan::kNowhere when there is none
  // What a move of the item copies, in bytes.
  std::int64_t bytes(int item) const { return model.demand(item, kSpace).usual; }
};

// The result points into `round` and `question`.
Fleet make_fleet(const Round& round, const LunRules& rules, const Policy& policy, const Learnt& learnt,
                 const Question& question);

// The tier, block and encryption that keep an item from an array, as a constraint and its words; both empty
// for none.
std::pair<std::string, std::string> unfit(const Fleet& fleet, int item, int bin);

}  // namespace rackline::storage
