// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdlib>
#include <thread>

#include "base/fd.h"
#include "listener.h"
#include "net/page_server.h"
#include "probe/check.h"

namespace rackline::probe {
namespace {

using namespace std::chrono_literals;
using net::Listener;

template <class T>
T parsed(const std::string& text) {
  const auto check = parse(text);
  EXPECT_TRUE(check && std::holds_alternative<T>(*check)) << text;
  return check && std::holds_alternative<T>(*check) ? std::get<T>(*check) : T{};
}

TEST(Check, HasATextForEachWayToAsk) {
  EXPECT_EQ(parsed<Tcp>("tcp:10.0.0.1:80").address, "10.0.0.1");
  EXPECT_EQ(parsed<Tcp>("tcp:[fe80::1]:80").address, "fe80::1");
  EXPECT_EQ(parsed<Http>("http://h1:8080/health?deep").url, "http://h1:8080/health?deep");
  EXPECT_EQ(parsed<Http>("https://[::1]/").url, "https://[::1]/");
  EXPECT_EQ(parsed<Command>("command:test -e /a:b").line, "test -e /a:b");
  EXPECT_EQ(parsed<File>("file:/a:b:5m").path, "/a:b");
  EXPECT_EQ(parsed<File>("file:/a:b:5m").age, 5min);
  const std::string nul("command:a\0b", 11);
  for (const std::string& wrong : {std::string(),
                                   nul,
                                   std::string("tcp:"),
                                   std::string("tcp:a"),
                                   std::string("tcp:a:0"),
                                   std::string("http:a"),
                                   std::string("http://"),
                                   std::string("http:///path"),
                                   std::string("http://a:0/"),
                                   std::string("http://a:b/"),
                                   std::string("http://u:p@a/"),
                                   std::string("http://::1/"),
                                   std::string("http://[name]/"),
                                   std::string("http://a/b c"),
                                   std::string("ftp://a/"),
                                   std::string("command:"),
                                   std::string("file:/a"),
                                   std::string("file::5m"),
                                   std::string("file:/a:0"),
                                   std::string("file:/a:5"),
                                   std::string("udp:a:80"),
                                   std::string("tcp")}) {
    EXPECT_FALSE(parse(wrong)) << wrong;
  }
}

TEST(Tcp, ACheckIsContentWithAServerThatLetsTheClientSpeakFirst) {
  const Listener silent;
  EXPECT_TRUE(probe(Tcp{"127.0.0.1", silent.port()}, 5s).ok);
}

TEST(Tcp, ACheckIsNotContentWithWhoeverHangsUpOrIsNotThere) {
  Listener listener;
  std::thread hangs_up([&] { Fd(accept(listener.fd(), nullptr, nullptr)).reset(); });
  const auto answer = probe(Tcp{"127.0.0.1", listener.port()}, 5s);
  hangs_up.join();
  EXPECT_FALSE(answer.ok);
  EXPECT_NE(answer.why, "");
  listener.close();
  EXPECT_FALSE(probe(Tcp{"127.0.0.1", listener.port()}, 5s).ok);
}

TEST(Http, IsAskedForItsStatus) {
  net::PageServer server(net::resolve("127.0.0.1", 0), "/health", "text/plain");
  EXPECT_EQ(probe(Http{server.url()}, 5s).why, "HTTP status 503") << "it has no page yet";
  server.publish("well\n");
  EXPECT_TRUE(probe(Http{server.url()}, 5s).ok);
  EXPECT_EQ(probe(Http{server.url() + "y"}, 5s).why, "HTTP status 404");
  const Listener silent;
  const auto answer = probe(Http{"http://127.0.0.1:" + silent.port() + "/"}, 200ms);
  EXPECT_FALSE(answer.ok);
  EXPECT_NE(answer.why, "");
}

TEST(Http, DoesNotWaitForAPageWithoutEnd) {
  const Listener listener;
  std::size_t sent = 0;
  std::thread server([&] {
    const Fd client(accept(listener.fd(), nullptr, nullptr));
    std::string bytes = "HTTP/1.1 200 OK\r\n\r\n";
    while (send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) {
      sent += bytes.size();
      bytes.assign(4096, 'x');
    }
  });
  EXPECT_TRUE(probe(Http{"http://127.0.0.1:" + listener.port() + "/"}, 1min).ok);
  server.join();
  EXPECT_LT(sent, std::size_t{16} << 20) << "what the sockets hold, and not what a server likes to send";
}

TEST(Command, ServesWhenItEndsWithZeroInTime) {
  EXPECT_TRUE(probe(Command{"true"}, 5s).ok);
  EXPECT_EQ(probe(Command{"exit 7"}, 5s).why, "exit status 7");
  EXPECT_EQ(probe(Command{"sleep 60"}, 100ms).why, "no end within 100ms");
}

TEST(File, ServesWhileItIsWritten) {
  std::string path = testing::TempDir() + "rackline-probe-XXXXXX";
  const Fd file(mkstemp(path.data()));
  ASSERT_TRUE(file);
  EXPECT_TRUE(probe(File{path, 1min}, 5s).ok);
  const auto written = [&](std::chrono::seconds ago) {
    const auto at = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) - ago.count();
    const timespec times[2] = {{at, 0}, {at, 0}};
    EXPECT_EQ(futimens(file.get(), times), 0);
  };
  written(10min);
  EXPECT_TRUE(probe(File{path, 11min}, 5s).ok);
  EXPECT_EQ(probe(File{path, 9min}, 5s).why.substr(0, 10), "written 10");
  written(-10min);
  EXPECT_FALSE(probe(File{path, 1min}, 5s).ok) << "from the future";
  unlink(path.c_str());
  EXPECT_EQ(probe(File{path, 1min}, 5s).why, "No such file or directory");
}

}  // namespace
}  // namespace rackline::probe
