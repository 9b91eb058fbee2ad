// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/time.h"
#include "net/udp.h"

namespace rackline::net {

// Serves one text, which is replaced from time to time, over HTTP: for a scraper of metrics. On a thread of
// its own, so that a round of work delays no answer, and an answer no work.
//
// Whoever connects is a stranger: what is no request for the text is answered and let go, a header has 8 KiB
// and a time, and there are so many connections at most: one more takes the place of the one that has been
// waiting longest. "/-/healthy" is answered, too. There is no TLS and no password: bind it to an
// address that only those who may read it can reach.
class PageServer {
 public:
  struct Limits {
    std::size_t connections = 64;
    Milliseconds patience{std::chrono::seconds(10)};  // for a request, and for a peer to take the answer
  };

  // `path`: "/metrics". Throws Error(kUnreachable) when the address cannot be bound.
  PageServer(const Endpoint& local, std::string path, std::string content_type, Limits limits);
  PageServer(const Endpoint& local, std::string path, std::string content_type)
      : PageServer(local, std::move(path), std::move(content_type), Limits{}) {}
  ~PageServer();
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  // What is answered from now on; before the first there is "503 Service Unavailable".
  void publish(std::string page);

  std::string url() const;  // "http://127.0.0.1:9750/metrics"

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rackline::net
