// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/id.h"
#include "base/time.h"
#include "net/http.h"

namespace rackline::store {

// A real etcd of three members on the loopback, with data of its own and on ports that nobody else has. It
// ends with this object, and with the test's process however that ends.
class EtcdCluster {
 public:
  EtcdCluster() : directory_(place() / ("rackline-etcd-" + random_id())) {
    std::filesystem::create_directory(directory_);
    std::array<Fd, 2 * kMembers> sockets;
    std::array<int, 2 * kMembers> ports{};
    for (std::size_t i = 0; i < sockets.size(); ++i) sockets[i] = reserve_port(ports[i]);
    std::string peers;
    for (std::size_t i = 0; i < kMembers; ++i) {
      clients_[i] = "127.0.0.1:" + std::to_string(ports[i]);
      peers_[i] = "127.0.0.1:" + std::to_string(ports[kMembers + i]);
      peers += (i == 0 ? "" : ",") + name(i) + "=http://" + peers_[i];
    }
    initial_ = peers;
    for (auto& socket : sockets) socket.reset();
    for (std::size_t i = 0; i < kMembers; ++i) start(i);
    wait_until_ready();
  }
  ~EtcdCluster() {
    for (std::size_t i = 0; i < kMembers; ++i) kill_member(i);
    std::filesystem::remove_all(directory_);
  }
  EtcdCluster(const EtcdCluster&) = delete;
  EtcdCluster& operator=(const EtcdCluster&) = delete;

  static constexpr std::size_t kMembers = 3;
  static bool available() { return access("/usr/bin/etcd", X_OK) == 0; }

  std::string url() const { return "etcd://" + clients_[0] + "," + clients_[1] + "," + clients_[2]; }
  const std::string& client(std::size_t member) const { return clients_[member]; }

  void kill_member(std::size_t member) {
    if (pids_[member] <= 0) return;
    kill(pids_[member], SIGKILL);
    waitpid(pids_[member], nullptr, 0);
    pids_[member] = 0;
  }
  // SIGSTOP, SIGCONT: a member that hangs, or a machine that stands still.
  void send(std::size_t member, int signal) { kill(pids_[member], signal); }
  void start(std::size_t member);

  // The member that leads now.
  std::size_t leader() {
    for (int attempt = 0; attempt < 200; ++attempt) {
      for (std::size_t i = 0; i < kMembers; ++i) {
        if (pids_[i] <= 0) continue;
        const auto answer = ask(i, "/v3/maintenance/status", "{}");
        const auto id = text_of(answer, "member_id"), leads = text_of(answer, "leader");
        if (!id.empty() && id == leads) return i;
      }
      std::this_thread::sleep_for(Milliseconds{50});
    }
    throw std::runtime_error("no member leads");
  }

  // Waits until each living member can read through the whole cluster.
  void wait_until_ready() {
    for (std::size_t i = 0; i < kMembers; ++i) {
      if (pids_[i] <= 0) continue;
      for (int attempt = 0; ask(i, "/v3/kv/range", R"({"key":"AA=="})").empty(); ++attempt) {
        if (attempt == 600) throw std::runtime_error("etcd does not start, see " + directory_.string());
        std::this_thread::sleep_for(Milliseconds{50});
      }
    }
  }

 private:
  // Its data is worth nothing after the test, and a disk that others keep busy makes it elect and elect.
  static std::filesystem::path place() {
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path();
  }
  static std::string name(std::size_t member) { return "m" + std::to_string(member); }
  static Fd reserve_port(int& port) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
      throw std::runtime_error("no port");
    port = ntohs(address.sin_port);
    return socket;
  }
  std::string ask(std::size_t member, const std::string& path, const std::string& request) {
    const auto answer = http_.post("http://" + clients_[member] + path, request, {}, Milliseconds{3000});
    return answer.status == 200 ? answer.body : "";
  }
  static std::string text_of(const std::string& json, const std::string& field) {
    const auto at = json.find('"' + field + "\":\"");
    if (at == std::string::npos) return {};
    const auto from = at + field.size() + 4;
    return json.substr(from, json.find('"', from) - from);
  }

  std::filesystem::path directory_;
  std::array<std::string, kMembers> clients_, peers_;
  std::array<pid_t, kMembers> pids_{};
  std::string initial_;
  net::HttpClient http_;
};

inline void EtcdCluster::start(std::size_t member) {
  const std::string client = "http://" + clients_[member], peer = "http://" + peers_[member];
  std::vector<std::string> words{"/usr/bin/etcd",
                                 "--name=" + name(member),
                                 "--data-dir=" + (directory_ / name(member)).string(),
                                 "--listen-client-urls=" + client,
                                 "--advertise-client-urls=" + client,
                                 "--listen-peer-urls=" + peer,
                                 "--initial-advertise-peer-urls=" + peer,
                                 "--initial-cluster=" + initial_,
                                 "--initial-cluster-token=" + directory_.filename().string(),
                                 "--logger=zap",
                                 "--log-level=warn"};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string log = (directory_ / (name(member) + ".log")).string();
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  pids_[member] = child;
}

}  // namespace rackline::store
