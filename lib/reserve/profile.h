// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reserve/recurrence.h"
#include "reserve/write_set.h"

namespace rackline::reserve {

// How much of a pool is held at each instant, kept so that a claim reads and writes a few keys however many
// reservations there are: step functions of time ("series", one for each thing that is counted) in a tree
// over time whose nodes are documents of the store.
//
// A step function is kept as its changes: a reservation adds its amount where it begins and takes it away
// where it ends, so that it touches two paths of the tree and not all that lies between. A node is either a
// list of changes or, when there are too many, split into children, of each of which it knows the sum of the
// changes and the highest and lowest value that the sum from the child's start goes through. With these a
// question for the peak of a range reads the two paths to its ends alone. The tree's shape depends on the
// changes in it, not on the order in which they came, and needs no balancing: the children of a node are
// fixed parts of its time. The root has all 2^36 seconds (to the year 4147) in 4096 parts of half a year;
// below it there are three more splits in 64.
//
// Discarded: summing up the reservations that overlap (a claim among a million takes seconds), and buckets of
// an hour or a day with one number each (they refuse two claims that meet within an hour, or grant too much).
class Profile {
 public:
  Profile(WriteSet& writes, std::string prefix);
  ~Profile();
  Profile(Profile&&) noexcept;

  // Holds `amount` more over the span; less, if it is negative.
  void add(const std::string& series, Span span, std::int64_t amount);

  std::int64_t at(const std::string& series, Second time);
  // Of the instants in the span, which must not be empty.
  std::int64_t peak(const std::string& series, Span span);
  std::int64_t lowest(const std::string& series, Span span);
  std::optional<Second> first_above(const std::string& series, Span span, std::int64_t bound);
  std::optional<Second> first_not_above(const std::string& series, Span span, std::int64_t bound);

  // Makes a series the same function as another one. Reads the whole tree.
  void copy(const std::string& from, const std::string& to);

  // When the ledger was last written here, 0: never.
  Second written();
  void set_written(Second now);

  // Hands what has changed to the write set.
  void save();

  struct Change {
    Second at;
    std::int64_t delta;
  };
  // One document taken apart, for those who check the tree from outside.
  struct Child {
    std::int64_t index, sum, peak, low;
    bool operator==(const Child&) const = default;
  };
  struct Content {
    bool split = false;
    Second written = 0;
    std::map<std::string, std::vector<Change>> changes;
    std::map<std::string, std::vector<Child>> children;
  };
  // Times in a document count from where its node begins (`base`), which keeps it short. Throws
  // Error(kUnreachable) for a text that is no document of a tree.
  static Content parse(const std::string& key, const std::string& text, Second base);
  // The part of a key behind the prefix, taken apart: where the node begins and how long it is.
  static std::optional<Span> extent(std::string_view name);
  // What a parent must know of a node that has these changes.
  static Child summary(std::int64_t index, Span extent, const std::vector<Change>& changes);

 private:
  struct Node;
  struct Walk;
  Node& load(int shift, Second base);
  Child add_at(Node& node, const std::string& series, Second at, std::int64_t delta);
  void split(Node& node);
  Child summarise(const Node& node, const std::string& series) const;
  void walk(Node& node, Walk& walk);
  std::string key(int shift, Second base) const;

  WriteSet& writes_;
  std::string prefix_;
  std::map<std::pair<int, Second>, std::unique_ptr<Node>> nodes_;
};

}  // namespace rackline::reserve
