// SPDX-License-Identifier: Apache-2.0
#include "iscsi/tgt.h"

#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "proc/child.h"

namespace rackline::iscsi {
namespace {

constexpr std::size_t kLongestShown = 120;

}  // namespace

std::string Tgt::run(const std::vector<std::string>& command, const std::string& input,
                     Milliseconds patience) const {
  std::vector<std::string> words = admin_;
  words.insert(words.end(), command.begin(), command.end());
  const auto finished = proc::run(words, input, patience, proc::Leavers::kSpare, proc::Environment::kCleaned,
                                  proc::Stop::kHandOn);
  const std::string& name = command.front();
  if (finished.timed_out)
    throw Error(Status::kTimeout, "ask the array", name,
                "no answer within " + std::to_string(patience.count()) + " ms");
  if (finished.status == 0) return finished.out;
  std::string_view why = finished.err;
  while (why.ends_with('\n')) why.remove_suffix(1);
  why.remove_prefix(why.rfind('\n') == std::string_view::npos ? 0 : why.rfind('\n') + 1);
  throw Error(Status::kUnreachable, "ask the array", name,
              why.empty() ? "it failed with status " + std::to_string(finished.status)
                          : printable(std::string(why.substr(0, kLongestShown))));
}

std::string Tgt::tgtadm(const char* mode, const char* op, Milliseconds patience) const {
  return run({"tgtadm", "-C", control_, "--lld", "iscsi", "--mode", mode, "--op", op}, {}, patience);
}

std::vector<TgtTarget> Tgt::targets(Milliseconds patience) const {
  return parse_tgt_targets(tgtadm("target", "show", patience));
}

std::vector<TgtCounters> Tgt::counters(Milliseconds patience) const {
  return parse_tgt_counters(tgtadm("sys", "stat", patience));
}

// The paths go through a pipe: in words they would pass through the shell that ssh starts.
std::string Tgt::stat(std::vector<std::string> options, const std::string& paths,
                      Milliseconds patience) const {
  std::vector<std::string> command{"xargs", "-0", "-r", "stat", "-L"};
  command.insert(command.end(), std::make_move_iterator(options.begin()),
                 std::make_move_iterator(options.end()));
  return run(command, paths, patience);
}

TgtRoom Tgt::room(const std::vector<std::string>& paths, Milliseconds patience) const {
  std::string all;
  for (const std::string& path : paths) {
    if (path.starts_with('/') && path.find('\n') == std::string::npos) all += path + '\0';
  }
  TgtRoom room;
  if (all.empty()) return room;
  room.allocated_bytes = parse_allocated(stat({"-c", kFileFormat}, all, patience));
  std::string files;
  for (const auto& [path, bytes] : room.allocated_bytes) files += path + '\0';
  if (!files.empty()) add_file_systems(stat({"-f", "-c", kFileSystemFormat}, files, patience), room);
  return room;
}

}  // namespace rackline::iscsi
