// SPDX-License-Identifier: Apache-2.0
#include "usage/import.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <unordered_map>

#include "base/error.h"
#include "base/fd.h"

namespace rackline::usage {
namespace {

// A saved cluster has less than 256 MiB.
std::string read_file(const std::string& path) {
  constexpr std::size_t kLargest = std::size_t{256} << 20;
  const char* attempted = "read a saved cluster";
  Fd file;
  if (path != "-") {
    file = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) throw system_error(Status::kUsage, attempted, path);
  } else if (isatty(STDIN_FILENO) == 1) {
    throw Error(Status::kUsage, attempted, "stdin", "it is a terminal");
  }
  std::string text;
  std::array<char, 65536> part{};
  for (;;) {
    const ssize_t got = read(file ? file.get() : STDIN_FILENO, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error(file ? Status::kUsage : Status::kUnreachable, attempted, path);
    if (got == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
    if (text.size() > kLargest) throw Error(Status::kUsage, attempted, path, "it has more than 256 MiB");
  }
}

// When it was last written; empty where that tells nothing: stdin, a pipe.
std::optional<record::Time> modified(const std::string& path) {
  struct stat status {};
  if (path == "-" || stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return record::Time{std::chrono::seconds{status.st_mtim.tv_sec}};
}

void assume(Imported::Round& round, double percent) {
  for (auto& vm : round.vms) {
    const bool stopped = vm.state == "shutoff" || vm.state == "crashed";
    if (!stopped && !vm.cpu_cores && vm.vcpus) vm.cpu_cores = static_cast<double>(*vm.vcpus) * percent / 100;
  }
  detail::complete(round, true);
}

}  // namespace

Imported load(const std::string& format, const std::string& path, record::Time now,
              std::optional<double> assumed_percent) {
  const std::string source = path == "-" ? "stdin" : path;
  if (format != "csv" && format != "ganeti") {
    throw Error(Status::kUsage, "read a saved cluster", source, "there is no format " + detail::shown(format),
                "the formats are ganeti and csv");
  }
  const std::string text = read_file(path);
  Imported imported = format == "csv" ? read_csv(text, source) : read_ganeti(text, source);
  const record::Time saved = modified(path).value_or(now);
  const record::Time first = imported.rounds.front().time.value_or(saved);
  std::int64_t number = 0;
  for (auto& round : imported.rounds) {
    if (assumed_percent) assume(round, *assumed_percent);
    record::RoundEnd& end = round.end;
    end.round = ++number;
    end.time = round.time.value_or(saved);
    end.hosts = static_cast<std::int64_t>(round.hosts.size());
    end.hosts_up = std::count_if(round.hosts.begin(), round.hosts.end(),
                                 [](const auto& host) { return host.state == "up"; });
    end.vms = static_cast<std::int64_t>(round.vms.size());
    for (auto& host : round.hosts) host.time = end.time;
    for (auto& vm : round.vms) vm.time = end.time;
    round.at = end.time - first;
  }
  return imported;
}

namespace detail {

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string result = "\"";
  for (const char c : text.substr(0, kLongest)) {
    result += std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '?';
  }
  return result + (text.size() > kLongest ? "...\"" : "\"");
}

namespace {

struct Sums {
  std::int64_t running = 0, stopped = 0, vcpus = 0, memory_bytes = 0;
  double cores = 0;
  bool vcpus_known = true, memory_known = true, cores_known = true;
};

Sums& add(Sums& sums, const record::VmSample& vm) {
  if (vm.state == "shutoff" || vm.state == "crashed") {
    ++sums.stopped;
    return sums;
  }
  ++sums.running;
  sums.cores += vm.cpu_cores.value_or(0);
  // A sum that no integer holds is as unknown as one with an unknown part.
  sums.vcpus_known =
      sums.vcpus_known && vm.vcpus && !__builtin_add_overflow(sums.vcpus, *vm.vcpus, &sums.vcpus);
  sums.memory_known = sums.memory_known && vm.memory_bytes &&
                      !__builtin_add_overflow(sums.memory_bytes, *vm.memory_bytes, &sums.memory_bytes);
  sums.cores_known = sums.cores_known && vm.cpu_cores.has_value();
  return sums;
}

}  // namespace

void complete(Imported::Round& round, bool assumed) {
  std::unordered_map<std::string_view, Sums> by_host;
  for (const auto& vm : round.vms) add(by_host[vm.host], vm);
  // Where loads are told or assumed, a host without VMs has none; where they are not, it is unknown like the
  // others'.
  const bool told =
      assumed || std::any_of(round.vms.begin(), round.vms.end(),
                             [](const record::VmSample& vm) { return vm.cpu_cores.has_value(); });
  for (auto& host : round.hosts) {
    const Sums& sums = by_host[host.host];
    if (!host.vms_running) host.vms_running = sums.running;
    if (!host.vms_stopped) host.vms_stopped = sums.stopped;
    if (!host.vcpus_allocated && sums.vcpus_known) host.vcpus_allocated = sums.vcpus;
    if (!host.memory_allocated_bytes && sums.memory_known) host.memory_allocated_bytes = sums.memory_bytes;
    if (host.memory_bytes && host.memory_used_bytes && !host.memory_free_bytes) {
      host.memory_free_bytes = *host.memory_bytes - *host.memory_used_bytes;
    }
    if (host.memory_bytes && host.memory_free_bytes && !host.memory_used_bytes) {
      host.memory_used_bytes = *host.memory_bytes - *host.memory_free_bytes;
    }
    // What its VMs use is used; what the host itself takes is not told then.
    if (!host.cpu_percent && told && sums.cores_known && host.cpus.value_or(0) > 0) {
      host.cpu_percent = sums.cores / static_cast<double>(*host.cpus) * 100;
    }
  }
}

}  // namespace detail
}  // namespace rackline::usage
