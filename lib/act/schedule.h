// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rackline::act {

// Something of which only so many are occupied at one time: "from h1", a rack, a storage array.
struct Slot {
  std::string key;
  int limit = 1;
};

// One thing of a plan, as far as the order of the plan is concerned.
struct Item {
  std::int64_t stage = 1;        // begins when all of the stages before it are over
  std::vector<Slot> slots = {};  // one of each is occupied while it runs
};

// Says which items of a plan may begin now: those of the lowest stage that is not over, in the plan's order,
// as many as the limits allow. An item whose slots are taken does not hold up the others.
class Schedule {
 public:
  // Why `later` cannot be carried out when `failed` was not; nullopt: it rests on something else.
  using DependsOn = std::function<std::optional<std::string>(std::size_t later, std::size_t failed)>;

  Schedule(std::vector<Item> items, int max_total, DependsOn depends_on);

  // Indices of items to begin now; they count as begun.
  std::vector<std::size_t> begin();

  // The item is over. One whose outcome is unknown was not carried out as far as later ones are concerned.
  void finish(std::size_t item, bool carried_out);

  // Items that will never begin because of one that was not carried out, or of one that was refused for that,
  // with the reason. Each is handed out once.
  struct Refused {
    std::size_t item;
    std::string reason;
  };
  std::vector<Refused> refused();

  // Indices of items that have not begun; they never will.
  std::vector<std::size_t> give_up();

  bool is_over(std::size_t item) const { return states_[item] == State::kSettled; }
  bool over() const { return settled_ == items_.size(); }

 private:
  enum class State : std::uint8_t { kWaiting, kRunning, kSettled };

  bool has_room(const Item& item) const;
  void occupy(const Item& item, int by);
  void fail_dependants(std::size_t failed);
  void settle(std::size_t item);

  std::vector<Item> items_;
  int max_total_;
  DependsOn depends_on_;
  std::vector<State> states_;
  std::vector<Refused> refused_;
  std::map<std::string, int> occupied_;  // by the slot's key
  int running_ = 0;
  std::size_t settled_ = 0;
};

}  // namespace rackline::act
