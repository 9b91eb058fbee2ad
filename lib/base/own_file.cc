// SPDX-License-Identifier: Apache-2.0
#include "base/own_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"

namespace rackline {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinks = 40;  // as the kernel has it

bool is_link(const fs::path& path) {
  struct stat about = {};
  return lstat(path.c_str(), &about) == 0 && S_ISLNK(about.st_mode);
}

fs::path directory_of(const fs::path& path) {
  const auto parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

fs::path target_of(const fs::path& link) {
  std::error_code problem;
  const auto target = fs::read_symlink(link, problem);
  return problem ? link : link.parent_path() / target;  // an absolute one takes the place of all of it
}

// `about` is of the file, or of the link itself.
void require_own(const std::string& attempted, const fs::path& path, const struct stat& about) {
  if (about.st_uid != geteuid() && about.st_uid != 0) {
    throw Error(Status::kRefused, attempted, path.string(),
                "it belongs to somebody else, user " + std::to_string(about.st_uid));
  }
  constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
  const bool has_content =
      S_ISREG(about.st_mode) || S_ISDIR(about.st_mode);  // of a link the mode says nothing
  if (has_content && (about.st_mode & kOthersWrite) != 0) {
    // A directory such as /tmp is everybody's.
    const bool shared = (about.st_mode & S_ISVTX) != 0;
    throw Error(Status::kRefused, attempted, path.string(), "others than its owner can write it",
                shared ? "choose a directory of your own" : "chmod go-w " + path.string());
  }
}

void require_own(const std::string& attempted, const fs::path& path) {
  struct stat about = {};
  if (lstat(path.c_str(), &about) == 0 && !S_ISDIR(about.st_mode)) require_own(attempted, path, about);
}

void require_own_directory(const std::string& attempted, const fs::path& directory) {
  struct stat about = {};
  if (stat(directory.c_str(), &about) == 0) require_own(attempted, directory, about);
}

// The links among the directories on the way to a file.
void require_own_way(const std::string& attempted, const fs::path& path) {
  fs::path way;
  for (const auto& part : path.parent_path()) {
    way /= part;
    if (is_link(way)) require_own(attempted, way);
  }
}

}  // namespace

std::string real_file(const std::string& path) {
  fs::path file = path;
  for (int i = 0; i < kMostLinks && is_link(file); ++i) file = target_of(file);
  return file.string();
}

void require_own_file(const std::string& attempted, const std::string& path) {
  fs::path file = path;
  for (int i = 0; i < kMostLinks; ++i) {
    require_own_way(attempted, file);
    require_own_directory(attempted, directory_of(file));
    require_own(attempted, file);
    if (!is_link(file)) return;
    file = target_of(file);
  }
}

}  // namespace rackline
