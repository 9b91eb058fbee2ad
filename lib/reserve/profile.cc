// SPDX-License-Identifier: Apache-2.0
#include "reserve/profile.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/error.h"
#include "store/describe.h"

namespace rackline::reserve {
namespace {

constexpr int kRootShift = 36;
constexpr int kBelowRoot = 24;
constexpr int kFanoutShift = 6;
constexpr int kLeafShift = 6;
// Of all series together: a document of a thousand bytes, which SQLite still keeps within one page.
constexpr std::size_t kMostChanges = 64;

int child_shift(int shift) {
  return shift == kRootShift ? kBelowRoot : shift - kFanoutShift;
}

[[noreturn]] void damaged(const std::string& key, const std::string& why) {
  throw Error(Status::kUnreachable, "read ledger", key, why, "see reserve check");
}

// A node as it is kept. Numbers of a series stand one behind the other, which keeps it short.
struct Stored {
  using Series = std::map<std::string, std::vector<std::int64_t>>;
  std::optional<Second> at;
  std::optional<Series> children;  // index, sum, peak and low of each
  std::optional<Series> changes;   // when, counted from where the node begins, and by how much
  static const store::Fields kFields;
};
const store::Fields Stored::kFields{FIELD(Stored, at, store::kOmitted),
                                    FIELD_AT(Stored, "c", children, store::kOmitted),
                                    FIELD_AT(Stored, "p", changes, store::kOmitted)};

// The running sum, and what it goes through.
struct Course {
  std::int64_t sum = 0;
  std::int64_t peak = std::numeric_limits<std::int64_t>::min();
  std::int64_t low = std::numeric_limits<std::int64_t>::max();

  void stay() {
    peak = std::max(peak, sum);
    low = std::min(low, sum);
  }
  void pass(const Profile::Child& child) {
    peak = std::max(peak, sum + child.peak);
    low = std::min(low, sum + child.low);
    sum += child.sum;
  }
};

}  // namespace

struct Profile::Node {
  int shift = kRootShift;
  Second base = 0;
  bool stored = false, dirty = false;
  Content content;

  Second width() const { return Second{1} << shift; }
  bool empty() const { return content.changes.empty() && content.children.empty(); }
};

struct Profile::Walk {
  const std::string& series;
  Span span;
  enum class Want { kExtremes, kAbove, kNotAbove } want;
  std::int64_t bound = 0;
  std::int64_t sum = 0;
  Course course{};
  std::optional<Second> found{};

  bool wanted(std::int64_t value) const { return want == Want::kAbove ? value > bound : value <= bound; }
  // The sum stays what it is over [from, until).
  void stay(Second from, Second until) {
    from = std::max(from, span.from);
    if (found || from >= std::min(until, span.until)) return;
    if (want == Want::kExtremes) {
      course.sum = sum;
      course.stay();
    } else if (wanted(sum)) {
      found = from;
    }
  }
  // Whether what is wanted can lie in a child that is wholly inside the span.
  bool holds(const Child& child) const {
    return want == Want::kAbove ? sum + child.peak > bound : sum + child.low <= bound;
  }
};

Profile::Profile(WriteSet& writes, std::string prefix) : writes_(writes), prefix_(std::move(prefix)) {}
Profile::~Profile() = default;
Profile::Profile(Profile&&) noexcept = default;

std::string Profile::key(int shift, Second base) const {
  return prefix_ + std::to_string(shift) + "." + std::to_string(base >> shift);
}

std::optional<Span> Profile::extent(std::string_view name) {
  int shift = 0;
  std::int64_t index = 0;
  const char* const end = name.data() + name.size();
  const auto first = std::from_chars(name.data(), end, shift);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, index);
  const bool known =
      shift == kRootShift || (shift <= kBelowRoot && shift >= kLeafShift && shift % kFanoutShift == 0);
  if (second.ec != std::errc{} || second.ptr != end || !known || index < 0 || index >= kForever >> shift) {
    return std::nullopt;
  }
  return Span{index << shift, (index + 1) << shift};
}

Profile::Content Profile::parse(const std::string& key, const std::string& text, Second base) {
  const auto stored = store::from_text<Stored>(text);
  if (!stored) damaged(key, "a value has another type than it should");
  Content content;
  content.written = stored->at.value_or(0);
  content.split = stored->children.has_value();
  const std::size_t each = content.split ? 4 : 2;
  const auto& part = content.split ? stored->children : stored->changes;
  if (!part) return content;
  for (const auto& [series, list] : *part) {
    if (list.size() % each != 0) damaged(key, "a series is cut off");
    if (content.split) {
      auto& children = content.children[series];
      for (std::size_t i = 0; i < list.size(); i += each) {
        children.push_back({list[i], list[i + 1], list[i + 2], list[i + 3]});
      }
    } else {
      auto& changes = content.changes[series];
      for (std::size_t i = 0; i < list.size(); i += each) changes.push_back({base + list[i], list[i + 1]});
    }
  }
  return content;
}

Profile::Node& Profile::load(int shift, Second base) {
  auto& node = nodes_[{shift, base}];
  if (node) return *node;
  node = std::make_unique<Node>();
  node->shift = shift;
  node->base = base;
  const std::string name = key(shift, base);
  if (const auto text = writes_.read(name)) {
    node->content = parse(name, *text, base);
    node->stored = true;
  }
  return *node;
}

void Profile::save() {
  for (const auto& [place, node] : nodes_) {
    if (!node->dirty) continue;
    node->dirty = false;
    const std::string name = key(node->shift, node->base);
    if (node->empty() && node->shift != kRootShift) {
      writes_.erase(name);
      continue;
    }
    Stored stored;
    if (node->shift == kRootShift) stored.at = node->content.written;
    auto& part = (node->content.split ? stored.children : stored.changes).emplace();
    for (const auto& [series, children] : node->content.children) {
      auto& list = part[series];
      for (const auto& child : children)
        list.insert(list.end(), {child.index, child.sum, child.peak, child.low});
    }
    for (const auto& [series, changes] : node->content.changes) {
      auto& list = part[series];
      for (const auto& change : changes) list.insert(list.end(), {change.at - node->base, change.delta});
    }
    writes_.write(name, store::to_text(stored));
  }
}

Profile::Child Profile::summary(std::int64_t index, Span extent, const std::vector<Change>& changes) {
  Course course;
  if (changes.empty() || changes.front().at > extent.from) course.stay();
  for (const auto& change : changes) {
    course.sum += change.delta;
    course.stay();
  }
  return {index, course.sum, course.peak, course.low};
}

Profile::Child Profile::summarise(const Node& node, const std::string& series) const {
  const std::int64_t parent = node.shift == kRootShift ? 0
                              : node.shift == kBelowRoot
                                  ? node.base >> kBelowRoot
                                  : (node.base >> node.shift) & ((1 << kFanoutShift) - 1);
  if (!node.content.split) {
    const auto changes = node.content.changes.find(series);
    if (changes == node.content.changes.end()) return {parent, 0, 0, 0};
    return summary(parent, {node.base, node.base + node.width()}, changes->second);
  }
  const auto children = node.content.children.find(series);
  if (children == node.content.children.end()) return {parent, 0, 0, 0};
  Course course;
  std::int64_t next = 0;
  for (const auto& child : children->second) {
    if (child.index > next) course.stay();
    course.pass(child);
    next = child.index + 1;
  }
  if (next < node.width() >> child_shift(node.shift)) course.stay();
  return {parent, course.sum, course.peak, course.low};
}

Profile::Child Profile::add_at(Node& node, const std::string& series, Second at, std::int64_t delta) {
  node.dirty = true;
  if (node.content.split) {
    const int shift = child_shift(node.shift);
    const std::int64_t index = (at - node.base) >> shift;
    Node& below = load(shift, node.base + (index << shift));
    const Child summary = add_at(below, series, at, delta);
    auto& children = node.content.children[series];
    const auto place = std::lower_bound(children.begin(), children.end(), index,
                                        [](const Child& c, std::int64_t i) { return c.index < i; });
    const bool there = place != children.end() && place->index == index;
    if (!below.content.changes.contains(series) && !below.content.children.contains(series)) {
      if (there) children.erase(place);
    } else if (there) {
      *place = {index, summary.sum, summary.peak, summary.low};
    } else {
      children.insert(place, {index, summary.sum, summary.peak, summary.low});
    }
    if (children.empty()) node.content.children.erase(series);
    if (node.content.children.empty()) node.content.split = false;
    return summarise(node, series);
  }
  auto& changes = node.content.changes[series];
  const auto place = std::lower_bound(changes.begin(), changes.end(), at,
                                      [](const Change& c, Second time) { return c.at < time; });
  if (place == changes.end() || place->at != at) {
    changes.insert(place, {at, delta});
  } else {
    place->delta += delta;
    if (place->delta == 0) changes.erase(place);
  }
  if (changes.empty()) node.content.changes.erase(series);
  std::size_t count = 0;
  for (const auto& [name, list] : node.content.changes) count += list.size();
  if (count > kMostChanges && node.shift > kLeafShift) split(node);
  return summarise(node, series);
}

void Profile::split(Node& node) {
  const auto changes = std::exchange(node.content.changes, {});
  node.content.split = true;
  for (const auto& [series, list] : changes) {
    for (const auto& change : list) add_at(node, series, change.at, change.delta);
  }
}

void Profile::add(const std::string& series, Span span, std::int64_t amount) {
  if (amount == 0 || span.from >= span.until) return;
  add_at(load(kRootShift, 0), series, span.from, amount);
  if (span.until < kForever) add_at(load(kRootShift, 0), series, span.until, -amount);
}

void Profile::walk(Node& node, Walk& walk) {
  const Second end = node.base + node.width();
  Second at = node.base;
  if (!node.content.split) {
    if (const auto changes = node.content.changes.find(walk.series); changes != node.content.changes.end()) {
      for (const auto& change : changes->second) {
        if (at >= walk.span.until || walk.found) return;
        walk.stay(at, change.at);
        walk.sum += change.delta;
        at = change.at;
      }
    }
    walk.stay(at, end);
    return;
  }
  const auto children = node.content.children.find(walk.series);
  if (children != node.content.children.end()) {
    const int shift = child_shift(node.shift);
    for (const auto& child : children->second) {
      if (at >= walk.span.until || walk.found) return;
      const Second from = node.base + (child.index << shift);
      const Second until = from + (Second{1} << shift);
      walk.stay(at, from);
      if (walk.found) return;
      at = until;
      const bool inside = from >= walk.span.from && until <= walk.span.until;
      const bool extremes = walk.want == Walk::Want::kExtremes;
      if (until <= walk.span.from || (inside && !extremes && !walk.holds(child))) {
        walk.sum += child.sum;
      } else if (from >= walk.span.until) {
        return;
      } else if (inside && extremes) {
        walk.course.sum = walk.sum;
        walk.course.pass(child);
        walk.sum += child.sum;
      } else {
        this->walk(load(shift, from), walk);
      }
    }
  }
  walk.stay(at, end);
}

std::int64_t Profile::at(const std::string& series, Second time) {
  return peak(series, {time, time + 1});
}

std::int64_t Profile::peak(const std::string& series, Span span) {
  Walk extremes{series, span, Walk::Want::kExtremes};
  walk(load(kRootShift, 0), extremes);
  return extremes.course.peak;
}

std::int64_t Profile::lowest(const std::string& series, Span span) {
  Walk extremes{series, span, Walk::Want::kExtremes};
  walk(load(kRootShift, 0), extremes);
  return extremes.course.low;
}

std::optional<Second> Profile::first_above(const std::string& series, Span span, std::int64_t bound) {
  Walk search{series, span, Walk::Want::kAbove, bound};
  walk(load(kRootShift, 0), search);
  return search.found;
}

std::optional<Second> Profile::first_not_above(const std::string& series, Span span, std::int64_t bound) {
  Walk search{series, span, Walk::Want::kNotAbove, bound};
  walk(load(kRootShift, 0), search);
  return search.found;
}

void Profile::copy(const std::string& from, const std::string& to) {
  std::vector<Change> changes;
  const std::function<void(Node&)> collect = [&](Node& node) {
    if (const auto list = node.content.changes.find(from); list != node.content.changes.end()) {
      changes.insert(changes.end(), list->second.begin(), list->second.end());
    }
    const auto children = node.content.children.find(from);
    if (children == node.content.children.end()) return;
    const int shift = child_shift(node.shift);
    for (const auto& child : children->second) collect(load(shift, node.base + (child.index << shift)));
  };
  collect(load(kRootShift, 0));
  for (const auto& change : changes) add_at(load(kRootShift, 0), to, change.at, change.delta);
}

Second Profile::written() {
  return load(kRootShift, 0).content.written;
}

void Profile::set_written(Second now) {
  Node& root = load(kRootShift, 0);
  root.content.written = now;
  root.dirty = true;
}

}  // namespace rackline::reserve
