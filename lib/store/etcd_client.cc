// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_client.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/secret.h"
#include "net/address.h"
#include "net/spelling.h"
#include "store/store.h"

namespace rackline::store {
namespace {

// A member that hangs must leave time to ask the others within ten seconds.
constexpr Milliseconds kOneAnswer{3000};
constexpr Milliseconds kBetweenRounds{100};
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint16_t kDefaultPort = 2379;
constexpr int kOk = 200;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The codes of gRPC with which etcd says that somebody else, or the same one later, may well answer.
bool worth_repeating(int code, const std::string& error) {
  constexpr int kCancelled = 1, kUnknown = 2, kDeadline = 4, kExhausted = 8, kAborted = 10, kInternal = 13,
                kUnavailable = 14;
  if (code == kExhausted) return error.find("too many requests") != std::string::npos;
  return code == kCancelled || code == kUnknown || code == kDeadline || code == kAborted ||
         code == kInternal || code == kUnavailable;
}

constexpr int kUnauthenticated = 16;
bool token_is_over(int code, const std::string& error) {
  return code == kUnauthenticated || error.find("invalid auth token") != std::string::npos;
}

// What a gateway says where no etcd answers, or before it asks one.
std::string plain(std::string_view body) {
  constexpr std::size_t kMost = 200;
  std::string text;
  for (const char c : body.substr(0, kMost)) text += c >= ' ' && c <= '~' ? c : ' ';
  text.erase(text.find_last_not_of(' ') + 1);
  return text.empty() ? "no etcd" : text;
}

// Members answer a keepalive in a stream, of which one message comes; all others are one object. What lies
// deeper than anything that etcd says is left out: it would take the stack of whoever writes it or lets go of
// it.
Json parse_body(const std::string& body) {
  constexpr int kDeepest = 16;
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kDeepest; };
  Json parsed = Json::parse(body, shallow, false);
  if (parsed.is_object() && parsed.contains("result")) return parsed["result"];
  // etcd 3.6 calls an error no more than its message.
  if (parsed.is_object() && !parsed.contains("error") && parsed.contains("code") &&
      parsed.contains("message"))
    parsed["error"] = parsed["message"];
  return parsed;
}

bool has(const Json& object, const char* field, bool (Json::*is)() const noexcept) {
  const auto found = object.find(field);
  return found == object.end() || ((*found).*is)();
}

bool is_list_of_pairs(const Json& object) {
  if (!has(object, "kvs", &Json::is_array)) return false;
  const auto pairs = object.find("kvs");
  return pairs == object.end() || std::all_of(pairs->begin(), pairs->end(), [](const Json& pair) {
           return pair.is_object() && has(pair, "key", &Json::is_string) &&
                  has(pair, "value", &Json::is_string);
         });
}

// Whether all that is read of an answer has its type: somebody else may listen where an etcd is expected.
bool is_etcds(const Json& body) {
  if (!body.is_object()) return false;
  if (const auto error = body.find("error"); error != body.end())
    return error->is_string() || (error->is_object() && has(*error, "message", &Json::is_string));
  const auto header = body.find("header");
  if (header == body.end() || !header->is_object() || !is_list_of_pairs(body)) return false;
  if (!has(body, "succeeded", &Json::is_boolean) || !has(body, "more", &Json::is_boolean) ||
      !has(body, "token", &Json::is_string) || !has(body, "responses", &Json::is_array))
    return false;
  const auto answers = body.find("responses");
  return answers == body.end() || std::all_of(answers->begin(), answers->end(), [](const Json& answer) {
           if (!answer.is_object() || !has(answer, "response_range", &Json::is_object)) return false;
           const auto range = answer.find("response_range");
           return range == answer.end() || is_list_of_pairs(*range);
         });
}

bool is_this_machine(std::string_view endpoint) {
  endpoint.remove_prefix(endpoint.find("://") + 3);
  const std::string_view host = endpoint.substr(0, endpoint.rfind(':'));
  const auto spelling = net::spellings(host).front();
  // A name may begin so, too.
  const bool numbers = spelling.find_first_not_of("0123456789.") == std::string::npos;
  return spelling == "::1" || (numbers && spelling.starts_with("127."));
}

}  // namespace

EtcdAddress parse_etcd_url(const std::string& url) {
  const auto wrong = [&](const std::string& why) {
    return Error(Status::kUsage, "open store", without_password(url), why,
                 "expected etcd://HOST:PORT,HOST:PORT,...");
  };
  if (has_password(url)) throw wrong("it holds a password: RACKLINE_ETCD_PASSWORD_FILE names a file with it");
  const auto scheme = url.find("://");
  if (scheme == std::string::npos) throw wrong("no address");
  const std::string http = url.starts_with("etcds:") ? "https://" : "http://";
  std::string rest = url.substr(scheme + 3);
  EtcdAddress address;
  address.prefix = "rackline/";
  if (const auto slash = rest.find('/'); slash != std::string::npos) {
    std::string prefix = rest.substr(slash + 1);
    while (prefix.ends_with('/')) prefix.pop_back();
    if (!prefix.empty()) {
      check_key(prefix);
      address.prefix = prefix + "/";
    }
    rest.resize(slash);
  }
  for (std::size_t at = 0; at <= rest.size();) {
    const auto comma = std::min(rest.find(',', at), rest.size());
    std::string host = rest.substr(at, comma - at);
    at = comma + 1;
    const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             std::string_view(".-_:[]").find(c) != std::string_view::npos;
    });
    if (host.empty()) throw wrong("an empty address");
    if (!plain) throw wrong("\"" + host + "\" is no address");
    auto endpoint = net::parse_address(host);
    if (!endpoint || endpoint->port == 0 || endpoint->misleads())
      throw wrong("\"" + host + "\" is no address");
    endpoint->port = endpoint->port.value_or(kDefaultPort);
    address.endpoints.push_back(http + endpoint->text());
  }
  return address;
}

std::string to_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= left ? kAlphabet[group >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

std::string from_base64(std::string_view text) {
  static const auto values = [] {
    std::array<int, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i)
      table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int>(i);
    return table;
  }();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  unsigned group = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) break;
    group = group << 6 | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(group >> bits & 255U);
    }
  }
  return bytes;
}

std::int64_t integer_of(const Json& object, const char* field) {
  if (!object.is_object()) return 0;
  const auto found = object.find(field);
  if (found == object.end()) return 0;
  if (found->is_number_integer()) return found->get<std::int64_t>();
  if (!found->is_string()) return 0;
  const auto& text = found->get_ref<const std::string&>();
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string end_of_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (prefix.empty()) return std::string(1, '\0');  // to the end of all keys
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

EtcdClient::EtcdClient(std::string url, EtcdAddress address)
    : url_(std::move(url)), address_(std::move(address)) {
  tls_ = {environment("RACKLINE_ETCD_CACERT"), environment("RACKLINE_ETCD_CERT"),
          environment("RACKLINE_ETCD_KEY")};
  if (!tls_.key_file.empty()) read_secret(tls_.key_file);  // only to see that nobody else can
  user_ = environment("RACKLINE_ETCD_USER");
  if (user_.empty()) return;
  const std::string file = environment("RACKLINE_ETCD_PASSWORD_FILE");
  if (file.empty())
    throw Error(Status::kUsage, "open store", url_, "RACKLINE_ETCD_USER without RACKLINE_ETCD_PASSWORD_FILE");
  password_ = read_secret(file);
  for (const auto& endpoint : address_.endpoints) {
    if (endpoint.starts_with("https:") || is_this_machine(endpoint)) continue;
    throw Error(Status::kRefused, "open store", url_, "the password would cross the network in the clear",
                "etcds:// asks by TLS");
  }
}

std::unique_ptr<net::HttpClient> EtcdClient::take() {
  const std::lock_guard guard(mutex_);
  if (idle_.empty()) return std::make_unique<net::HttpClient>(tls_);
  auto client = std::move(idle_.back());
  idle_.pop_back();
  return client;
}

void EtcdClient::give_back(std::unique_ptr<net::HttpClient> client) {
  const std::lock_guard guard(mutex_);
  idle_.push_back(std::move(client));
}

std::string EtcdClient::log_in(net::HttpClient& http, const std::string& endpoint, Milliseconds timeout) {
  Json request;
  request["name"] = user_;
  request["password"] = password_;
  const auto answer = http.post(endpoint + "/v3/auth/authenticate", dump(request), {}, timeout);
  const Json body = parse_body(answer.body);
  if (answer.status == 0 || !is_etcds(body)) return {};  // as the request itself will show
  if (body.contains("error")) {
    throw Error(Status::kUnreachable, "log in to etcd as", user_, dump(body["error"]),
                "RACKLINE_ETCD_USER and RACKLINE_ETCD_PASSWORD_FILE say who asks");
  }
  return body.value("token", "");
}

EtcdReply EtcdClient::call(const std::string& attempted, const std::string& path, const Json& request,
                           Milliseconds deadline, bool can_ask_for_less) {
  const std::string text = dump(request);
  auto http = take();
  EtcdReply reply;
  std::string failure = "no time left";
  const std::size_t first = preferred_.load();
  std::size_t distrusted = 0;  // members on end
  for (std::size_t attempt = 0;; ++attempt) {
    const Milliseconds left = deadline - system_clock().monotonic();
    if (left <= Milliseconds{0}) break;
    const std::size_t member = (first + attempt) % address_.endpoints.size();
    const std::string& endpoint = address_.endpoints[member];
    const Milliseconds patience = std::min(left, kOneAnswer);
    std::vector<std::string> headers{"Content-Type: application/json", "Expect:"};
    std::string token;
    if (!user_.empty()) {
      const std::lock_guard guard(mutex_);
      if (token_.empty()) token_ = log_in(*http, endpoint, patience);
      token = token_;
      headers.push_back("Authorization: " + token);
    }
    const auto answer = http->post(endpoint + path, text, headers, patience);
    if (answer.flooded && can_ask_for_less) {
      reply.too_long = true;
      give_back(std::move(http));
      return reply;
    }
    if (answer.status == 0) {
      failure = endpoint + ": " + answer.failure;
      reply.unsure = reply.unsure || answer.may_have_come;
      distrusted = answer.distrust ? distrusted + 1 : 0;
      if (distrusted == address_.endpoints.size()) break;
    } else {
      distrusted = 0;
      Json body = parse_body(answer.body);
      const bool object = is_etcds(body);
      std::string error;
      if (object && body.contains("error")) {
        // Of a stream the error is an object.
        const Json& said = body["error"];
        error = said.is_string() ? said.get<std::string>() : said.value("message", dump(said));
      }
      reply.unsure = reply.unsure || answer.may_have_come;
      if (object && answer.status == kOk && error.empty()) {
        preferred_.store(member);
        reply.body = std::move(body);
        give_back(std::move(http));
        return reply;
      }
      const int code = object ? static_cast<int>(integer_of(body, "code")) : 0;
      if (!user_.empty() && token_is_over(code, error)) {
        const std::lock_guard guard(mutex_);
        if (token_ == token) token_.clear();
        failure = endpoint + ": " + error;
      } else if (!error.empty() && !worth_repeating(code, error)) {
        reply.error = error;
        give_back(std::move(http));
        return reply;
      } else {
        failure = endpoint + ": " +
                  (error.empty() ? "HTTP status " + std::to_string(answer.status) + ": " + plain(answer.body)
                                 : error);
        // "request timed out": it may yet be carried out. So may what was answered in words of nobody's.
        reply.unsure = reply.unsure || !error.empty() || answer.status == kOk;
      }
    }
    if ((attempt + 1) % address_.endpoints.size() == 0) {
      std::this_thread::sleep_for(
          std::clamp(deadline - system_clock().monotonic(), Milliseconds{0}, kBetweenRounds));
    }
  }
  give_back(std::move(http));
  if (distrusted > 0) {
    throw Error(Status::kUnreachable, attempted, url_, "no member is trusted: " + failure,
                "RACKLINE_ETCD_CACERT says whom to trust, RACKLINE_ETCD_CERT and RACKLINE_ETCD_KEY who asks");
  }
  throw Error(Status::kUnreachable, attempted, url_, "no member answers: " + failure,
              reply.unsure && attempted == "write store"
                  ? "it is not known whether the change was made: look before it is made again"
                  : "more than half of the members have to run and to reach each other");
}

}  // namespace rackline::store
