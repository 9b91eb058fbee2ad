// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/fence_mark_keeper.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace rackline::heartbeat {

struct FenceMarkKeeper::Place {
  std::mutex mutex;
  std::set<std::string> troubles;
};

namespace {

std::string about(const std::string& host, const char* what) {
  return "the mark of a fencing of " + host + " on the storage " + what;
}

// A mark that nobody wants: the fencing is over.
std::string tidy(const std::string& directory, const std::string& cluster, const std::string& host,
                 const std::vector<std::string>& keys) {
  const auto text = read_fence_mark(directory, host);
  if (!text) return {};
  FenceMarkText mark;
  switch (unseal(*text, cluster, keys, mark)) {
    case MarkReject::kTorn:
      return about(host,
                   "is half written or none, and the host is not fenced: look who wrote it, and remove it");
    case MarkReject::kForeign:
      return about(host, "is of another cluster: two clusters share one directory of slots");
    case MarkReject::kForged:
      return about(host, "is not signed with our key, and the host is not fenced: look who wrote it");
    case MarkReject::kNone:
      remove_fence_mark(directory, host);
  }
  return {};
}

}  // namespace

std::set<std::string> keep_fence_marks(const std::string& directory, const std::string& cluster,
                                       const FenceMarkKeeper::KeysOf& keys_of,
                                       const std::set<std::string>& hosts,
                                       const std::vector<FenceMarkText>& wanted) {
  std::set<std::string> troubles;
  const auto attempt = [&troubles](const auto& work) {
    try {
      if (std::string trouble = work(); !trouble.empty()) troubles.insert(std::move(trouble));
    } catch (const Error& error) {
      troubles.insert(error.what());
    }
  };
  for (const auto& mark : wanted) {
    attempt([&]() -> std::string {
      const std::string text = sealed(mark, cluster, keys_of(mark.host).front());
      // Looked at each time: somebody may have taken it away.
      if (read_fence_mark(directory, mark.host) != text) write_fence_mark(directory, mark.host, text);
      return {};
    });
  }
  attempt([&]() -> std::string {
    for (const auto& host : fence_marks_in(directory)) {
      const bool stays =
          std::any_of(wanted.begin(), wanted.end(), [&](const auto& w) { return w.host == host; });
      if (stays) continue;
      if (!hosts.contains(host)) {
        troubles.insert(about(host, "is of a host that is not in the inventory"));
        continue;
      }
      attempt([&] { return tidy(directory, cluster, host, keys_of(host)); });
    }
    return {};
  });
  return troubles;
}

FenceMarkKeeper::FenceMarkKeeper(std::string directory, std::string cluster, KeysOf keys_of,
                                 const std::vector<std::string>& hosts)
    : place_(std::make_shared<Place>()),
      work_([place = place_, directory = std::move(directory), cluster = std::move(cluster),
             keys_of = std::move(keys_of),
             known = std::set<std::string>(hosts.begin(), hosts.end())](const auto& wanted) {
        auto troubles = keep_fence_marks(directory, cluster, keys_of, known, wanted);
        const std::lock_guard lock(place->mutex);
        place->troubles.merge(troubles);
      }) {}

std::set<std::string> FenceMarkKeeper::troubles() {
  const std::lock_guard lock(place_->mutex);
  return std::exchange(place_->troubles, {});
}

}  // namespace rackline::heartbeat
