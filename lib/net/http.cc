// SPDX-License-Identifier: Apache-2.0
#include "net/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "base/error.h"

namespace rackline::net {
namespace {

constexpr Milliseconds kConnect{1500};

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

struct Body {
  std::string text;
  bool flooded = false;
};

std::size_t append(char* bytes, std::size_t size, std::size_t count, void* to) {
  Body& body = *static_cast<Body*>(to);
  const std::size_t more = size * count;
  body.flooded = body.text.size() + more > HttpClient::kMostBody;
  if (body.flooded) return 0;  // which ends the transfer
  try {
    body.text.append(bytes, more);
    return more;
  } catch (const std::bad_alloc&) {
    return 0;  // an exception must not pass through C
  }
}

std::size_t decline(char*, std::size_t, std::size_t, void*) {
  return 0;  // which ends the transfer
}

void start_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
      throw Error(Status::kUnreachable, "start", "libcurl", "it does not start");
  });
}

bool is_distrust(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM ||
         code == CURLE_SSL_CACERT_BADFILE;
}

bool never_left(CURLcode code) {
  return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT ||
         code == CURLE_SSL_CONNECT_ERROR || code == CURLE_URL_MALFORMAT || is_distrust(code);
}

}  // namespace

struct HttpClient::Handle {
  std::unique_ptr<CURL, FreeEasy> easy;
  std::array<char, CURL_ERROR_SIZE> why{};
  bool used = false;
};

HttpClient::HttpClient(const HttpTls& tls) : handle_(std::make_unique<Handle>()) {
  start_library();
  handle_->easy.reset(curl_easy_init());
  CURL* easy = handle_->easy.get();
  if (easy == nullptr) throw Error(Status::kUnreachable, "start", "libcurl", "no memory");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);  // signals belong to interrupt.h, and there are threads
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle_->why.data());
  if (!tls.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca_file.c_str());
  if (tls.insecure) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!tls.cert_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.cert_file.c_str());
  if (!tls.key_file.empty()) curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key_file.c_str());
}

HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::post(const std::string& url, const std::string& body,
                            const std::vector<std::string>& headers, Milliseconds timeout) {
  CURL* easy = handle_->easy.get();
  std::unique_ptr<curl_slist, FreeList> list;
  for (const auto& header : headers) {
    if (curl_slist* longer = curl_slist_append(list.get(), header.c_str()); longer != nullptr) {
      [[maybe_unused]] const auto* same = list.release();
      list.reset(longer);
    }
  }
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list.get());
  auto answer = perform(url, timeout);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, nullptr);
  return answer;
}

HttpAnswer HttpClient::get(const std::string& url, const HttpLogin& login, Milliseconds timeout) {
  CURL* easy = handle_->easy.get();
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
  curl_easy_setopt(easy, CURLOPT_USERNAME, login.user.empty() ? nullptr : login.user.c_str());
  curl_easy_setopt(easy, CURLOPT_PASSWORD, login.user.empty() ? nullptr : login.password.c_str());
  return perform(url, timeout);
}

HttpAnswer HttpClient::get_status(const std::string& url, Milliseconds timeout) {
  CURL* easy = handle_->easy.get();
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, decline);
  auto answer = get(url, {}, timeout);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, append);
  if (answer.status != 0) return answer;
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return answer;  // no last word: "100 Continue" comes before it
  answer.status = static_cast<int>(status);
  answer.failure.clear();
  return answer;
}

HttpAnswer HttpClient::perform(const std::string& url, Milliseconds timeout) {
  CURL* easy = handle_->easy.get();
  HttpAnswer answer;
  Body body;
  handle_->why[0] = '\0';
  const long most = std::max<long>(1, static_cast<long>(timeout.count()));
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, most);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, std::min<long>(most, kConnect.count()));
  const CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK) {
    answer.failure = handle_->why[0] != '\0' ? handle_->why.data() : curl_easy_strerror(code);
    answer.flooded = body.flooded;
    if (body.flooded) answer.failure = "its answer has more than " + std::to_string(kMostBody >> 20) + " MiB";
    curl_off_t sending = 0;  // when the first byte of the request could be sent
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sending);
    answer.distrust = is_distrust(code);
    answer.may_have_come = !never_left(code) && !(code == CURLE_OPERATION_TIMEDOUT && sending == 0);
    return answer;
  }
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  answer.body = std::move(body.text);
  // A new connection although there was one: to another server, or because the old one was dead.
  long connections = 0;
  curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
  answer.may_have_come = std::exchange(handle_->used, true) && connections > 0;
  return answer;
}

}  // namespace rackline::net
