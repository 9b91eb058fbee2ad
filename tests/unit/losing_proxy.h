// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace rackline::store {

// Passes TCP connections on to a server, and loses the answer to one transaction that the server has carried
// out: as when it dies at that very moment. Either the connection is reset then, or nothing comes any more.
class LosingProxy {
 public:
  LosingProxy(const std::string& server, bool reset) : reset_(reset) {
    const auto colon = server.rfind(':');
    server_ = address_of(std::stoi(server.substr(colon + 1)));
    listener_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in own = address_of(0);
    socklen_t length = sizeof own;
    if (bind(listener_.get(), generic(own), length) != 0 || listen(listener_.get(), 8) != 0 ||
        getsockname(listener_.get(), generic(own), &length) != 0)
      throw std::runtime_error("the proxy cannot listen");
    address_ = "127.0.0.1:" + std::to_string(ntohs(own.sin_port));
    thread_ = std::thread([this] { run(); });
  }
  ~LosingProxy() {
    stop_ = true;
    thread_.join();
  }
  LosingProxy(const LosingProxy&) = delete;
  LosingProxy& operator=(const LosingProxy&) = delete;

  const std::string& address() const { return address_; }
  // `after`: so many are let through before.
  void lose_next_transaction(int after = 0) { armed_ = after + 1; }
  bool lost() const { return lost_; }

 private:
  struct Link {
    Fd client, server;
    bool doomed = false, silent = false;
  };

  static sockaddr_in address_of(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
  }
  static sockaddr* generic(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

  void run() {
    while (!stop_) {
      std::vector<pollfd> watched{{listener_.get(), POLLIN, 0}};
      for (const auto& link : links_) {
        watched.push_back({link.client.get(), POLLIN, 0});
        watched.push_back({link.server.get(), POLLIN, 0});
      }
      poll(watched.data(), watched.size(), 20);
      const std::size_t before = links_.size();
      for (std::size_t i = 0; i < before; ++i) {
        Link& link = links_[i];
        if (watched[1 + 2 * i].revents != 0 && !pass(link, link.client, link.server, true))
          link.client.reset();
        if (link.client && watched[2 + 2 * i].revents != 0 && !pass(link, link.server, link.client, false))
          link.client.reset();
      }
      std::erase_if(links_, [](const Link& link) { return !link.client; });
      if ((watched[0].revents & POLLIN) != 0) accept_one();
    }
  }
  void accept_one() {
    Link link;
    link.client = Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    link.server = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(link.server.get(), generic(server_), sizeof server_) == 0) links_.push_back(std::move(link));
  }
  bool pass(Link& link, const Fd& from, const Fd& to, bool to_server) {
    std::array<char, 65536> bytes{};
    const ssize_t size = read(from.get(), bytes.data(), bytes.size());
    if (size <= 0) return false;
    const std::string_view text(bytes.data(), static_cast<std::size_t>(size));
    if (to_server && text.find("/v3/kv/txn") != std::string_view::npos && armed_ > 0 && --armed_ == 0)
      link.doomed = true;
    if (link.silent) return true;
    if (!to_server && link.doomed) {
      lost_ = true;
      link.silent = true;
      if (!reset_) return true;
      const linger hard{1, 0};
      setsockopt(link.client.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      return false;
    }
    return write(to.get(), bytes.data(), text.size()) == size;
  }

  bool reset_;
  sockaddr_in server_{};
  Fd listener_;
  std::string address_;
  std::vector<Link> links_;
  std::atomic<int> armed_{0};
  std::atomic<bool> lost_{false}, stop_{false};
  std::thread thread_;
};

}  // namespace rackline::store
