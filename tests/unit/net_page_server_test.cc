// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "net/page_server.h"

namespace rackline::net {
namespace {

class PageServerTest : public testing::Test {
 protected:
  Fd connect_to() const {
    const std::string url = server_.url();
    const Endpoint peer = resolve(url.substr(7, url.rfind('/') - 7), 0);
    Fd socket(::socket(peer.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer.address), peer.length), 0);
    return socket;
  }
  // Sends, and reads until the server closes.
  std::string ask(const std::string& request) const {
    const Fd socket = connect_to();
    EXPECT_EQ(send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    char part[4096];
    for (ssize_t got = 0; (got = read(socket.get(), part, sizeof part)) > 0;)
      answer.append(part, static_cast<std::size_t>(got));
    return answer;
  }
  std::string get(const std::string& path, const std::string& method = "GET") const {
    return ask(method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  PageServer server_{resolve("127.0.0.1:0", 0),
                     "/metrics",
                     "text/plain; version=0.0.4",
                     {.connections = 4, .patience = Milliseconds{500}}};
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(PageServerTest, ServesTheLastPage) {
  EXPECT_TRUE(get("/metrics").starts_with("HTTP/1.1 503 "));
  server_.publish("a 1\n");
  server_.publish("a 2\n");
  const std::string answer = get("/metrics?x=1");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(has(answer, "Content-Type: text/plain; version=0.0.4\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\na 2\n")) << answer;
  const std::string head = get("/metrics", "HEAD");
  EXPECT_TRUE(has(head, "Content-Length: 4\r\n") && head.ends_with("\r\n\r\n")) << head;
}

TEST_F(PageServerTest, APageOfMegabytesArrivesWhole) {
  const std::string page(std::size_t{8} << 20, 'x');
  server_.publish(page);
  EXPECT_TRUE(get("/metrics").ends_with("\r\n\r\n" + page));
}

TEST_F(PageServerTest, OneConnectionMayAskAgain) {
  server_.publish("a 1\n");
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string last = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const std::string answer = ask(request + last);
  EXPECT_NE(answer.find("a 1\n"), answer.rfind("a 1\n"));
}

TEST_F(PageServerTest, WhatIsNoRequestForItIsAnsweredAndLetGo) {
  server_.publish("a 1\n");
  EXPECT_TRUE(get("/etc/passwd").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(get("/metrics/../secret").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(get("/metrics", "POST").starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(get("/").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(ask("no http at all\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(ask("GET /metrics HTTP/1.1\r\nX: " + std::string(100'000, 'y')).starts_with("HTTP/1.1 4"));
  EXPECT_TRUE(get("/metrics").ends_with("a 1\n"));
}

TEST_F(PageServerTest, WhoIsSilentMakesRoomTheOldestFirstAndIsLetGo) {
  server_.publish("a 1\n");
  std::vector<Fd> idle;
  for (int i = 0; i < 4; ++i) {
    idle.push_back(connect_to());
    EXPECT_TRUE(get("/metrics").ends_with("a 1\n"));  // so that one after the other is taken
  }
  char byte = 0;
  EXPECT_EQ(recv(idle.front().get(), &byte, 1, MSG_DONTWAIT), 0) << "the fourth answer took its place";
  EXPECT_EQ(recv(idle.back().get(), &byte, 1, MSG_DONTWAIT), -1);
  for (const Fd& socket : idle) EXPECT_EQ(read(socket.get(), &byte, 1), 0);
  EXPECT_TRUE(get("/metrics").ends_with("a 1\n"));
}

TEST_F(PageServerTest, WhoeverConnectsTheScraperIsServed) {
  server_.publish("a 1\n");
  std::vector<Fd> idle;
  for (int i = 0; i < 40; ++i) {
    idle.push_back(connect_to());
    const std::string half = "GET /metrics HTTP/1.1\r\n";
    send(idle.back().get(), half.data(), half.size(), MSG_NOSIGNAL);
  }
  EXPECT_TRUE(get("/metrics").ends_with("a 1\n"));
  EXPECT_TRUE(get("/-/healthy").starts_with("HTTP/1.1 200 "));
}

TEST_F(PageServerTest, AnAddressThatIsTakenIsAnError) {
  const std::string url = server_.url();
  try {
    const PageServer second(resolve(url.substr(7, url.rfind('/') - 7), 0), "/metrics", "text/plain");
    FAIL() << "two servers on one port";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kUnreachable);
  }
}

}  // namespace
}  // namespace rackline::net
