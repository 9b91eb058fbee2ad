// SPDX-License-Identifier: Apache-2.0
// lab-consumer URL INITIATOR STATE_FILE MIB RATE: a program that uses a LUN as a foreign server would, by
// plain libiscsi. It writes 4 KiB to places drawn at random, each time with a higher number, reads others
// back, and keeps how long it had to wait. On SIGTERM it reads all that it ever wrote, and ends. RATE:
// operations a second; 0: as many as there can be.
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBlock = 4096;
constexpr std::array<int, 8> kBounds{1, 2, 5, 10, 50, 200, 1000, 5000};  // ms

// SIGTERM stays pending: it would interrupt libiscsi, which takes that for a failure.
bool asked_to_end() {
  sigset_t pending;
  return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
}

struct State {
  std::uint64_t writes = 0, reads = 0, errors = 0, wrong_blocks = 0;
  std::array<std::uint64_t, kBounds.size() + 1> histogram{};
  double longest_ms = 0;
  bool verified = false;
  std::string last_error;
};

void save(const State& state, const std::string& file) {
  const std::string fresh = file + ".new";
  FILE* out = std::fopen(fresh.c_str(), "w");
  if (out == nullptr) return;
  std::fprintf(
      out, "{\"writes\":%llu,\"reads\":%llu,\"errors\":%llu,\"wrong_blocks\":%llu,\"longest_stall_ms\":%.1f",
      static_cast<unsigned long long>(state.writes), static_cast<unsigned long long>(state.reads),
      static_cast<unsigned long long>(state.errors), static_cast<unsigned long long>(state.wrong_blocks),
      state.longest_ms);
  std::fprintf(out, ",\"verified\":%s,\"waits\":{", state.verified ? "true" : "false");
  for (std::size_t i = 0; i < state.histogram.size(); ++i)
    std::fprintf(out, "%s\"%s%d\":%llu", i == 0 ? "" : ",",
                 i < kBounds.size() ? "<" : ">=", kBounds[std::min(i, kBounds.size() - 1)],
                 static_cast<unsigned long long>(state.histogram[i]));
  std::string error = state.last_error;
  for (char& c : error)
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ') c = ' ';
  std::fprintf(out, "},\"last_error\":\"%s\"}\n", error.c_str());
  if (std::fclose(out) == 0) std::rename(fresh.c_str(), file.c_str());
}

class Consumer {
 public:
  Consumer(std::string url, std::string initiator, std::string file, std::size_t mib)
      : url_(std::move(url)),
        initiator_(std::move(initiator)),
        file_(std::move(file)),
        numbers_(mib * 1048576 / kBlock, 0) {}

  bool connect() {
    iscsi_ = iscsi_create_context(initiator_.c_str());
    iscsi_url* url = iscsi_parse_full_url(iscsi_, url_.c_str());
    if (url == nullptr) return complain("read the URL");
    iscsi_set_targetname(iscsi_, url->target);
    iscsi_set_session_type(iscsi_, ISCSI_SESSION_NORMAL);
    if (url->user[0] != 0) iscsi_set_initiator_username_pwd(iscsi_, url->user, url->passwd);
    if (url->target_user[0] != 0) iscsi_set_target_username_pwd(iscsi_, url->target_user, url->target_passwd);
    lun_ = url->lun;
    const bool connected = iscsi_full_connect_sync(iscsi_, url->portal, lun_) == 0;
    iscsi_destroy_url(url);
    if (!connected) return complain("log in");
    scsi_task* task = iscsi_readcapacity16_sync(iscsi_, lun_);
    const auto* capacity =
        task == nullptr ? nullptr : static_cast<scsi_readcapacity16*>(scsi_datain_unmarshall(task));
    if (capacity == nullptr) return complain("read the capacity");
    block_bytes_ = capacity->block_length;
    numbers_.resize(std::min(numbers_.size(), (capacity->returned_lba + 1) * block_bytes_ / kBlock));
    scsi_free_scsi_task(task);
    unsure_.resize(numbers_.size());
    return true;
  }

  void run(unsigned rate) {
    std::mt19937_64 random(1);
    auto next = Clock::now();
    auto saved = next;
    for (std::uint64_t i = 0; !asked_to_end(); ++i) {
      const std::size_t at = random() % numbers_.size();
      if (i % 4 == 3) {
        check(at);
      } else {
        write(at);
      }
      if (i % 32 == 31) flush();
      if (const auto now = Clock::now(); now - saved > std::chrono::milliseconds(200)) {
        saved = now;
        save(state_, file_);
      }
      if (rate > 0) std::this_thread::sleep_until(next += std::chrono::microseconds(1000000 / rate));
    }
    for (std::size_t at = 0; at < numbers_.size(); ++at) check(at);
    state_.verified = true;
    save(state_, file_);
  }

 private:
  // Every byte tells the place and the number.
  static void fill(std::array<std::uint64_t, kBlock / 8>& data, std::size_t at, std::uint64_t number) {
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = number == 0 ? 0 : (number << 32) ^ (at << 9) ^ i;
  }

  // Runs a command until it was carried out or refused, and counts how long that took. A UNIT ATTENTION is
  // the news that something has happened to the session, and no answer to the command.
  template <typename Command>
  scsi_task* carry_out(Command command) {
    const auto begun = Clock::now();
    scsi_task* task = nullptr;
    for (int i = 0; i < 100; ++i) {
      task = command();
      const bool again =
          task != nullptr &&
          ((task->status == SCSI_STATUS_CHECK_CONDITION && task->sense.key == SCSI_SENSE_UNIT_ATTENTION) ||
           task->status == SCSI_STATUS_BUSY);
      if (!again) break;
      if (task->status == SCSI_STATUS_BUSY) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      scsi_free_scsi_task(task);
      task = nullptr;
    }
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
    state_.longest_ms = std::max(state_.longest_ms, ms);
    const auto bound = std::find_if(kBounds.begin(), kBounds.end(), [&](int most) { return ms < most; });
    ++state_.histogram[static_cast<std::size_t>(bound - kBounds.begin())];
    if (task != nullptr && task->status == SCSI_STATUS_GOOD) return task;
    ++state_.errors;
    state_.last_error = iscsi_get_error(iscsi_);
    if (task != nullptr) scsi_free_scsi_task(task);
    return nullptr;
  }

  void write(std::size_t at) {
    fill(data_, at, numbers_[at] + 1);
    scsi_task* task = carry_out([&] {
      return iscsi_write16_sync(iscsi_, lun_, at * kBlock / block_bytes_,
                                reinterpret_cast<unsigned char*>(data_.data()), kBlock,
                                static_cast<int>(block_bytes_), 0, 0, 0, 0, 0);
    });
    unsure_[at] = task == nullptr;  // what has failed may have been carried out all the same
    if (task == nullptr) return;
    scsi_free_scsi_task(task);
    ++numbers_[at];
    ++state_.writes;
  }

  void check(std::size_t at) {
    if (numbers_[at] == 0 && !unsure_[at]) return;
    scsi_task* task = carry_out([&] {
      return iscsi_read16_sync(iscsi_, lun_, at * kBlock / block_bytes_, kBlock,
                               static_cast<int>(block_bytes_), 0, 0, 0, 0, 0);
    });
    if (task == nullptr) return;
    if (!holds(*task, at, numbers_[at])) {
      if (unsure_[at] && holds(*task, at, numbers_[at] + 1)) {
        ++numbers_[at];
      } else {
        ++state_.wrong_blocks;
      }
    }
    unsure_[at] = false;
    scsi_free_scsi_task(task);
    ++state_.reads;
  }

  bool holds(const scsi_task& task, std::size_t at, std::uint64_t number) {
    fill(data_, at, number);
    return task.datain.size == static_cast<int>(kBlock) &&
           std::memcmp(task.datain.data, data_.data(), kBlock) == 0;
  }

  void flush() {
    scsi_task* task = carry_out([&] { return iscsi_synchronizecache16_sync(iscsi_, lun_, 0, 0, 0, 0); });
    if (task != nullptr) scsi_free_scsi_task(task);
  }

  bool complain(const char* attempted) {
    std::fprintf(stderr, "lab-consumer: %s: %s\n", attempted, iscsi_get_error(iscsi_));
    return false;
  }

  std::string url_, initiator_, file_;
  iscsi_context* iscsi_ = nullptr;
  int lun_ = 0;
  std::uint64_t block_bytes_ = 512;
  std::vector<std::uint64_t> numbers_;  // of what stands in each block; 0: nothing of ours
  std::vector<bool> unsure_;            // or the number after that
  std::array<std::uint64_t, kBlock / 8> data_{};
  State state_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: lab-consumer URL INITIATOR STATE_FILE MIB RATE\n");
    return 2;
  }
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, nullptr);
  Consumer consumer(argv[1], argv[2], argv[3], std::strtoul(argv[4], nullptr, 10));
  if (!consumer.connect()) return 1;
  consumer.run(static_cast<unsigned>(std::strtoul(argv[5], nullptr, 10)));
}
