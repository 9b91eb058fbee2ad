// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "net/http.h"
#include "store/json.h"

namespace rackline::store {

// What "etcd://..." names.
struct EtcdAddress {
  std::vector<std::string> endpoints;  // "http://10.0.0.1:2379"
  std::string prefix;                  // "rackline/"
};

// Throws Error(kUsage).
EtcdAddress parse_etcd_url(const std::string& url);

// Bytes as the gateway wants them in JSON.
std::string to_base64(std::string_view bytes);
std::string from_base64(std::string_view text);  // what is no base64 ends it
// The gateway writes 64-bit integers as strings, and leaves zeros out.
std::int64_t integer_of(const Json& object, const char* field);
// The end of the range of all keys that begin with `prefix`.
std::string end_of_prefix(std::string prefix);

struct EtcdReply {
  Json body;
  std::string error;      // etcd refused: its own words; empty: it did not
  bool too_long = false;  // there is no body: it would have been too long
  bool unsure = false;    // it was sent more than once, and an earlier delivery may have been carried out
};

// Requests to whichever member answers. Safe to use from several threads.
//
// Everything is sent again to the next member until one answers, so a request must be safe to be done twice.
class EtcdClient {
 public:
  EtcdClient(std::string url, EtcdAddress address);

  // Throws Error(kUnreachable, attempted, url, ...) when none has answered by `deadline` (monotonic). An
  // answer that is too long counts as none, unless the one who asks can ask for less.
  EtcdReply call(const std::string& attempted, const std::string& path, const Json& request,
                 Milliseconds deadline, bool can_ask_for_less = false);

  const std::string& url() const { return url_; }
  const std::string& prefix() const { return address_.prefix; }

 private:
  std::unique_ptr<net::HttpClient> take();
  void give_back(std::unique_ptr<net::HttpClient> client);
  std::string log_in(net::HttpClient& http, const std::string& endpoint, Milliseconds timeout);

  std::string url_;
  EtcdAddress address_;
  net::HttpTls tls_;
  std::string user_, password_;
  std::atomic<std::size_t> preferred_{0};
  std::mutex mutex_;
  std::vector<std::unique_ptr<net::HttpClient>> idle_;
  std::string token_;
};

}  // namespace rackline::store
