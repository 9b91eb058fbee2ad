// SPDX-License-Identifier: Apache-2.0
// What the lab's two FUSE programs share: the version of the interface, and libfuse's header kept quiet.
#pragma once
#define FUSE_USE_VERSION 312
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <fuse3/fuse.h>
#pragma GCC diagnostic pop

#include <string>
#include <utility>
#include <vector>

namespace lab {

// Runs the file system in the foreground until it is unmounted or the process ends. Its exit status.
inline int serve(const char* program, const char* mount_point, const std::string& options,
                 const fuse_operations& operations) {
  std::vector<std::string> words{program, "-f", "-o", options + ",max_threads=8", mount_point};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  // the default of this version of libfuse is one that it then complains about
  return fuse_main(static_cast<int>(argv.size()), argv.data(), &operations, nullptr);
}

}  // namespace lab
