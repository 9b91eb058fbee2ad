// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"

namespace rackline::net {

// What became of a request. No answer is a value and not an Error: there may be another server to ask.
struct HttpAnswer {
  int status = 0;  // 0: no answer
  std::string body;
  std::string failure;  // why there is no answer, for a person
  // A server may have done what was asked without its answer coming back; with an answer: it may have been
  // done twice, because libcurl repeats a request by itself when a kept connection turns out to be dead.
  bool may_have_come = false;
  bool flooded = false;  // it was cut off for its length, and has no status
  // No certificate to show or none to believe: the same question will get no other answer.
  bool distrust = false;
};

struct HttpTls {
  std::string ca_file;              // empty: the system's authorities
  std::string cert_file, key_file;  // to prove who we are; empty: not asked for
  bool insecure = false;            // whatever certificate the server shows: only where a person asked for it
};

// Who we are to a server. It stands in a header, never in the URL.
struct HttpLogin {
  std::string user, password;
};

// A client that keeps its connections between requests. Proxies of the environment are not used: what the
// programs talk to stands in the machine room. For one thread at a time.
class HttpClient {
 public:
  // A longer answer is none: a server that goes on for ever must not take all memory.
  static constexpr std::size_t kMostBody = std::size_t{32} << 20;

  explicit HttpClient(const HttpTls& tls = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `headers` are whole lines without their end. The whole request takes at most `timeout`.
  HttpAnswer post(const std::string& url, const std::string& body, const std::vector<std::string>& headers,
                  Milliseconds timeout);
  HttpAnswer get(const std::string& url, const HttpLogin& login, Milliseconds timeout);
  // Only the status: the body is not waited for, however long it is.
  HttpAnswer get_status(const std::string& url, Milliseconds timeout);

 private:
  HttpAnswer perform(const std::string& url, Milliseconds timeout);
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace rackline::net
