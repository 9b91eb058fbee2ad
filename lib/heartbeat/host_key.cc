// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/host_key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <charconv>
#include <memory>
#include <sstream>

#include "base/error.h"
#include "base/id.h"
#include "cluster/name.h"
#include "heartbeat/message.h"

namespace rackline::heartbeat {
namespace {

constexpr std::string_view kHostPurpose = "rackline heartbeat host key";
constexpr std::string_view kWord = "rackline-host-key";
constexpr std::string_view kPrevious = "previous ";
constexpr std::size_t kLeast = 32;

OSSL_PARAM octets(const char* name, std::string_view bytes) {
  // OpenSSL reads through it, and does not write.
  return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(bytes.data()), bytes.size());
}

[[noreturn]] void broken(const std::string& why) {
  throw Error(Status::kUsage, "read the key file", "of a host", why,
              "heartbeat key --host HOST makes it anew, beside the watcher");
}

HostKey host_key_of(const std::string& line) {
  std::istringstream words(line);
  std::string word, id, text, more;
  HostKey key;
  if (!(words >> word >> key.host >> id >> text) || word != kWord || words >> more)
    broken("a line is not RACKLINE-HOST-KEY HOST ID KEY");
  if (!cluster::valid_name(key.host)) broken("the name of the host is none");
  if (text.size() != 2 * key.key.bytes.size()) broken("a key is not whole");
  for (std::size_t i = 0; i < key.key.bytes.size(); ++i) {
    const char* at = text.data() + 2 * i;
    if (std::from_chars(at, at + 2, key.key.bytes[i], 16).ptr != at + 2) broken("a key is not hexadecimal");
  }
  wipe(text);
  // A line that was typed, or cut and pasted, is not silently another key.
  if (key_id_text(key.id()) != id) broken("a key and its id do not fit together");
  return key;
}

}  // namespace

Key::~Key() {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

Key hkdf(std::string_view secret, std::string_view salt, std::string_view info) {
  static EVP_KDF* const algorithm = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  const std::unique_ptr<EVP_KDF_CTX, void (*)(EVP_KDF_CTX*)> context(
      algorithm == nullptr ? nullptr : EVP_KDF_CTX_new(algorithm), EVP_KDF_CTX_free);
  char digest[] = "SHA256";
  // libcrypto refuses what is empty; leaving it out means the same.
  std::vector<OSSL_PARAM> parameters{OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                                     octets(OSSL_KDF_PARAM_KEY, secret)};
  if (!salt.empty()) parameters.push_back(octets(OSSL_KDF_PARAM_SALT, salt));
  if (!info.empty()) parameters.push_back(octets(OSSL_KDF_PARAM_INFO, info));
  parameters.push_back(OSSL_PARAM_construct_end());
  Key key;
  if (context == nullptr ||
      EVP_KDF_derive(context.get(), key.bytes.data(), key.bytes.size(), parameters.data()) != 1)
    throw Error(Status::kUnreachable, "derive a key by HKDF-SHA-256", "libcrypto", "it failed");
  return key;
}

std::uint32_t HostKey::id() const {
  return Signer(key, {}).id();
}

std::string HostKey::line() const {
  std::string text(kWord);
  text += " " + host + " " + key_id_text(id()) + " ";
  constexpr char kDigits[] = "0123456789abcdef";
  for (const std::uint8_t byte : key.bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text + "\n";
}

HostKey host_key(std::string_view master, std::string_view host) {
  // No name holds a 0, so purpose and name cannot run into each other.
  return {std::string(host), hkdf(master, {}, std::string(kHostPurpose) + '\0' + std::string(host))};
}

std::string key_id_text(std::uint32_t id) {
  return hex(id).substr(8);
}

std::vector<std::string> master_keys(std::string_view text) {
  if (text.starts_with(kWord)) {
    throw Error(Status::kUsage, "use the key", "of the heartbeats",
                "it is the key of one host; a watcher needs the master key",
                "where it is lost: heartbeat key FILE makes another one, and each host needs a new key then");
  }
  std::vector<std::string> keys;
  // A key that somebody made by himself may be any bytes: only the word of the second line divides it.
  const auto second = text.find("\n" + std::string(kPrevious));
  keys.emplace_back(text.substr(0, second));
  if (second != std::string_view::npos) keys.emplace_back(text.substr(second + 1 + kPrevious.size()));
  for (const auto& key : keys) {
    if (key.size() < kLeast) {
      throw Error(Status::kUsage, "use the key", "of the heartbeats", "it is shorter than 32 bytes",
                  "heartbeat key FILE makes one");
    }
  }
  return keys;
}

std::vector<HostKey> host_keys(std::string_view text) {
  std::vector<HostKey> keys;
  if (!text.starts_with(kWord)) return keys;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line); wipe(line)) keys.push_back(host_key_of(line));
  if (keys.size() > 2) broken("it has more than two keys");
  if (keys.back().host != keys.front().host) broken("it has keys of two hosts");
  return keys;
}

}  // namespace rackline::heartbeat
