// SPDX-License-Identifier: Apache-2.0
#include "base/own_file.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>
#include <vector>

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

// Many systems give each user a group of his own, of his name, and let him write for it (umask 0002).
bool is_private_group(gid_t gid, uid_t owner) {
  constexpr std::size_t kRoom = 1 << 16;
  std::vector<char> user_room(kRoom);
  std::vector<char> group_room(kRoom);
  passwd user_about{};
  group group_about{};
  passwd* user = nullptr;
  group* found = nullptr;
  if (getpwuid_r(owner, &user_about, user_room.data(), kRoom, &user) != 0 || user == nullptr) return false;
  if (getgrgid_r(gid, &group_about, group_room.data(), kRoom, &found) != 0 || found == nullptr) return false;
  const std::string_view name = user->pw_name;
  if (user->pw_gid != gid || name != found->gr_name) return false;
  char** member = found->gr_mem;
  while (*member != nullptr && name == *member) ++member;
  return *member == nullptr;
}

// `about` is of the file, or of the link itself.
void require_own(const std::string& attempted, const fs::path& path, const struct stat& about) {
  if (about.st_uid != geteuid() && about.st_uid != 0) {
    throw Error(Status::kRefused, attempted, path.string(),
                "it belongs to somebody else, user " + std::to_string(about.st_uid));
  }
  const bool has_content =
      S_ISREG(about.st_mode) || S_ISDIR(about.st_mode);  // of a link the mode says nothing
  const bool group_writes = (about.st_mode & S_IWGRP) != 0 && !is_private_group(about.st_gid, about.st_uid);
  if (has_content && (group_writes || (about.st_mode & S_IWOTH) != 0)) {
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
