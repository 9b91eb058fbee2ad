// SPDX-License-Identifier: Apache-2.0
// lab-figures CPUS MEMORY_KIB MOUNT_POINT: what a practice host's libvirtd reads about its machine.
//
// Shows three files, stat, meminfo and node_meminfo, to be bound over /proc/stat, /proc/meminfo and the NUMA
// node's meminfo. They tell of a machine of the given size, loaded by the guests that really run in this
// host's namespaces. The contents are made when a file is opened, so they are exact and whole; files that
// someone rewrites twice a second are neither (a bind mount is of an inode, so they could not even be
// replaced by rename).
//
// CPU: the host's busy time is what its control group used, plus what its QEMUs spent waiting for a real CPU.
// With more hosts than the machine has CPUs, a guest that wants one whole CPU gets perhaps a third of one; on
// the machine that the files tell of it would get all of it, and a busy guest must show as one busy CPU.
// Memory: a fixed share for the host itself and the configured RAM of each running QEMU.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>

#include "fuse.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kHostItselfKib = 512 * 1024;

int cpus = 1;
uint64_t memory_kib = 0;

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class Each>
void each_number_in(const std::string& directory, Each each) {
  DIR* d = opendir(directory.c_str());
  if (!d) return;
  while (const dirent* entry = readdir(d))
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') each(std::string(entry->d_name));
  closedir(d);
}

template <class Each>
void each_qemu(Each each) {
  each_number_in("/proc", [&](const std::string& pid) {
    if (contents("/proc/" + pid + "/comm").starts_with("qemu-system")) each(pid);
  });
}

// The argument after -m, which the emulator wrapper has written as KiB with a k.
uint64_t configured_kib(const std::string& pid) {
  const std::string command = contents("/proc/" + pid + "/cmdline");
  const std::string_view key("\0-m\0", 4);
  const size_t at = command.find(key);
  if (at == std::string::npos) return 0;
  char* end = nullptr;
  const uint64_t number = std::strtoull(command.c_str() + at + key.size(), &end, 10);
  if (std::string_view(end).starts_with("size=")) return 0;
  return *end == 'k' ? number : number * 1024;
}

uint64_t used_ns() {
  const std::string v1 = contents("/sys/fs/cgroup/cpuacct/cpuacct.usage");
  if (!v1.empty()) return std::strtoull(v1.c_str(), nullptr, 10);
  const std::string v2 = contents("/sys/fs/cgroup/cpu.stat");  // its first line: usage_usec N
  const size_t at = v2.find("usage_usec ");
  return at == std::string::npos ? 0 : 1000 * std::strtoull(v2.c_str() + at + 11, nullptr, 10);
}

// Busy and idle time so far. Both only ever grow, whatever the sources do: threads come and go between two
// readings.
class CpuTime {
 public:
  struct Sum {
    double busy_s, idle_s;
  };

  Sum read() {
    const std::lock_guard guard(mutex_);
    const Clock::time_point now = Clock::now();
    const uint64_t used = used_ns();
    double delta = static_cast<double>(used - std::min(used, last_used_)) + waited_ns();
    last_used_ = used;
    const double span = cpus * std::chrono::duration<double, std::nano>(now - last_).count();
    last_ = now;
    delta = std::min(delta, span);
    sum_.busy_s += delta / 1e9;
    sum_.idle_s += (span - delta) / 1e9;
    return sum_;
  }

 private:
  // Since the last call: the time that threads of QEMU stood ready to run and were not let.
  double waited_ns() {
    double delta = 0;
    std::map<std::string, uint64_t> now;
    each_qemu([&](const std::string& pid) {
      each_number_in("/proc/" + pid + "/task", [&](const std::string& tid) {
        uint64_t ran = 0, waited = 0;
        std::istringstream(contents("/proc/" + pid + "/task/" + tid + "/schedstat")) >> ran >> waited;
        const auto before = waited_.find(tid);
        if (before != waited_.end() && waited > before->second)
          delta += static_cast<double>(waited - before->second);
        now[tid] = waited;
      });
    });
    waited_.swap(now);
    return delta;
  }

  std::mutex mutex_;
  Clock::time_point last_ = Clock::now();
  uint64_t last_used_ = used_ns();
  std::map<std::string, uint64_t> waited_;
  Sum sum_{0, 0};
};

CpuTime cpu_time;
const std::time_t booted = std::time(nullptr);

std::string stat_file() {
  const CpuTime::Sum sum = cpu_time.read();
  const auto line = [&](const std::string& name, double share) {
    std::ostringstream out;
    out << name << ' ' << static_cast<uint64_t>(sum.busy_s * 100 * share) << " 0 0 "
        << static_cast<uint64_t>(sum.idle_s * 100 * share) << " 0 0 0 0 0 0\n";
    return out.str();
  };
  std::string out = line("cpu ", 1);
  for (int i = 0; i < cpus; i++) out += line("cpu" + std::to_string(i), 1.0 / cpus);
  return out + "intr 0\nctxt 0\nbtime " + std::to_string(booted) +
         "\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n";
}

std::string memory_file(const std::string& prefix) {
  uint64_t used = kHostItselfKib;
  each_qemu([&](const std::string& pid) { used += configured_kib(pid); });
  const uint64_t left = memory_kib - std::min(used, memory_kib);
  std::string out;
  const auto line = [&](const char* name, uint64_t kib) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%-15s %8llu kB\n", name, static_cast<unsigned long long>(kib));
    out += prefix + text.data();
  };
  line("MemTotal:", memory_kib);
  line("MemFree:", left);
  if (prefix.empty()) {
    line("MemAvailable:", left);
    line("Buffers:", 0);
    line("Cached:", 0);
    line("SwapCached:", 0);
    line("SwapTotal:", 0);
    line("SwapFree:", 0);
  } else {
    line("MemUsed:", memory_kib - left);
  }
  for (const char* name :
       {"Active:", "Inactive:", "Shmem:", "Slab:", "SReclaimable:", "HugePages_Total:", "HugePages_Free:"})
    line(name, 0);
  return out;
}

const std::map<std::string, std::string (*)(), std::less<>> files{
    {"/stat", stat_file},
    {"/meminfo", [] { return memory_file(""); }},
    {"/node_meminfo", [] { return memory_file("Node 0 "); }},
};

fuse_operations operations() {
  fuse_operations op{};
  op.init = [](fuse_conn_info*, fuse_config* config) -> void* {
    config->nullpath_ok = 1;
    return nullptr;
  };
  op.getattr = [](const char* path, struct stat* out, fuse_file_info*) {
    *out = {};
    if (path && std::string_view(path) == "/") {
      out->st_mode = S_IFDIR | 0555;
      out->st_nlink = 2;
    } else if (!path || files.contains(std::string_view(path))) {
      out->st_mode = S_IFREG | 0444;
      out->st_nlink = 1;
    } else {
      return -ENOENT;
    }
    return 0;
  };
  op.readdir = [](const char*, void* out, fuse_fill_dir_t fill, off_t, fuse_file_info*, fuse_readdir_flags) {
    for (const auto& [path, make] : files) fill(out, path.c_str() + 1, nullptr, 0, fuse_fill_dir_flags{});
    return 0;
  };
  op.open = [](const char* path, fuse_file_info* info) {
    const auto file = files.find(std::string_view(path));
    if (file == files.end()) return -ENOENT;
    info->fh = reinterpret_cast<uint64_t>(new std::string(file->second()));
    info->direct_io = 1;
    return 0;
  };
  op.read = [](const char*, char* to, size_t n, off_t at, fuse_file_info* info) {
    const std::string& text = *reinterpret_cast<std::string*>(info->fh);
    if (static_cast<size_t>(at) >= text.size()) return 0;
    return static_cast<int>(text.copy(to, n, static_cast<size_t>(at)));
  };
  op.release = [](const char*, fuse_file_info* info) {
    delete reinterpret_cast<std::string*>(info->fh);
    return 0;
  };
  return op;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: lab-figures CPUS MEMORY_KIB MOUNT_POINT\n", stderr);
    return 2;
  }
  cpus = std::max(1, std::atoi(argv[1]));
  memory_kib = std::strtoull(argv[2], nullptr, 10);
  return lab::serve(argv[0], argv[3], "fsname=lab-figures,ro,allow_other", operations());
}
