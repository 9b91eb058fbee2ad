// SPDX-License-Identifier: Apache-2.0
#include "base/path.h"

#include <algorithm>
#include <filesystem>

namespace rackline {

bool lies_below(std::string_view path, const std::vector<std::string>& directories) {
  const auto normal = std::filesystem::path(path).lexically_normal();
  if (!normal.is_absolute()) return false;
  return std::any_of(directories.begin(), directories.end(), [&](const std::string& directory) {
    auto above = std::filesystem::path(directory).lexically_normal();
    if (!above.is_absolute()) return false;
    if (!above.has_filename()) above = above.parent_path();  // "/srv/" is "/srv"
    const auto mismatch = std::mismatch(above.begin(), above.end(), normal.begin(), normal.end());
    return mismatch.first == above.end() && mismatch.second != normal.end();
  });
}

bool is_declared(std::string_view disk, const std::vector<std::string>& shared) {
  return std::any_of(shared.begin(), shared.end(), [&](const std::string& entry) {
    return !entry.empty() && entry.front() != '/' && disk.starts_with(entry) &&
           (disk.size() == entry.size() || disk[entry.size()] == '/' || entry.ends_with(':'));
  });
}

bool is_shared_in(std::string_view disk, const std::vector<std::string>& shared) {
  return lies_below(disk, shared) || is_declared(disk, shared);
}

}  // namespace rackline
