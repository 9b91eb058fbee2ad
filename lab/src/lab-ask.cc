// SPDX-License-Identifier: Apache-2.0
// lab-ask ADDRESS [--timeout-ms N] [REQUEST]        : asks a guest once ("ask" unless said otherwise), prints
// its answer lab-ask ADDRESS --watch SECONDS [--interval-ms N] : asks again and again, prints the longest
// silence
//
// Exit status: 0 answered, 3 no answer.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr uint16_t kPort = 7000;

int64_t ms_since(Clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(Clock::now() - start).count();
}

class Guest {
 public:
  explicit Guest(const char* address) : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    to_.sin_family = AF_INET;
    to_.sin_port = htons(kPort);
    if (socket_ < 0 || inet_pton(AF_INET, address, &to_.sin_addr) != 1) {
      std::fprintf(stderr, "lab-ask: no such address: %s\n", address);
      std::exit(2);
    }
  }
  ~Guest() { close(socket_); }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  // Not connected: an unreachable moment would come back as an error of the socket, and it is silence that we
  // measure.
  void send(std::string_view text) {
    sendto(socket_, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to_), sizeof to_);
  }

  // The next answer, or nothing if there is none within the time.
  std::string receive(int64_t wait_ms) {
    pollfd p{socket_, POLLIN, 0};
    if (poll(&p, 1, static_cast<int>(std::max<int64_t>(wait_ms, 0))) <= 0) return {};
    std::array<char, 2048> text{};
    const ssize_t n = recv(socket_, text.data(), text.size(), 0);
    return n > 0 ? std::string(text.data(), static_cast<size_t>(n)) : std::string();
  }

 private:
  int socket_;
  sockaddr_in to_{};
};

int64_t field(const std::string& answer, std::string_view key) {
  const size_t at = answer.find("\"" + std::string(key) + "\":");
  return at == std::string::npos ? -1 : std::strtoll(answer.c_str() + at + key.size() + 3, nullptr, 10);
}

int ask(Guest& guest, const std::string& request, int64_t timeout_ms) {
  // Asked again meanwhile: the first datagram to a new address may be lost to ARP.
  const auto start = Clock::now();
  do {
    guest.send(request);
    const std::string answer = guest.receive(std::min<int64_t>(200, timeout_ms - ms_since(start)));
    if (!answer.empty()) {
      std::fwrite(answer.data(), 1, answer.size(), stdout);
      return 0;
    }
  } while (ms_since(start) < timeout_ms);
  return 3;
}

int watch(Guest& guest, int64_t seconds, int64_t interval_ms) {
  const auto start = Clock::now();
  auto last = start;
  int64_t polls = 0, answers = 0, gap = 0, boots = -1, restarts = 0, backwards = 0, count = -1, corrupt = 0;
  for (; ms_since(start) < seconds * 1000; polls++) {
    guest.send("ask");
    const auto due = start + milliseconds((polls + 1) * interval_ms);
    for (;;) {
      const auto left = std::chrono::ceil<milliseconds>(due - Clock::now()).count();
      if (left <= 0) break;
      const std::string answer = guest.receive(left);
      if (answer.empty()) continue;
      answers++;
      gap = std::max(gap, ms_since(last));
      last = Clock::now();
      const int64_t b = field(answer, "boots"), c = field(answer, "count");
      restarts += boots >= 0 && b != boots;
      backwards += c < count;
      boots = b, count = c;
      corrupt = std::max(corrupt, field(answer, "corrupt"));
    }
  }
  gap = std::max(gap, ms_since(last));
  std::printf(
      "{\"polls\":%lld,\"answers\":%lld,\"longest_gap_ms\":%lld,\"restarts\":%lld,\"counter_went_back\":%lld,"
      "\"corrupt\":%lld}\n",
      static_cast<long long>(polls), static_cast<long long>(answers), static_cast<long long>(gap),
      static_cast<long long>(restarts), static_cast<long long>(backwards), static_cast<long long>(corrupt));
  return answers > 0 ? 0 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: lab-ask ADDRESS [--timeout-ms N] [--watch SECONDS] [--interval-ms N] [REQUEST]\n",
               stderr);
    return 2;
  }
  std::string request = "ask";
  int64_t timeout_ms = 1000, seconds = 0, interval_ms = 20;
  for (int i = 2; i < argc; i++) {
    const std::string_view word = argv[i];
    const int64_t number = i + 1 < argc ? std::strtoll(argv[i + 1], nullptr, 10) : 0;
    if (word == "--timeout-ms") {
      timeout_ms = number, i++;
    } else if (word == "--watch") {
      seconds = number, i++;
    } else if (word == "--interval-ms") {
      interval_ms = std::max<int64_t>(number, 1), i++;
    } else {
      request = word;
    }
  }
  Guest guest(argv[1]);
  return seconds > 0 ? watch(guest, seconds, interval_ms) : ask(guest, request, timeout_ms);
}
