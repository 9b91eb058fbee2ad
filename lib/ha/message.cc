// SPDX-License-Identifier: Apache-2.0
#include "ha/message.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/id.h"

namespace rackline::ha {
namespace {

constexpr std::size_t kHead = 60;
constexpr std::size_t kMac = 32;
constexpr char kMagic[] = {'R', 'L', 'H', 'B'};
constexpr std::uint8_t kVersion = 1;

enum Flag : std::uint16_t {
  kLeaving = 1,
  kLibvirtOk = 2,
  kStorageOk = 4,
  kWatchdog = 8,
  kReached = 16,
  kFenced = 32,
  kReplaced = 64
};

template <class T>
void put(std::uint8_t* at, T value) {
  for (std::size_t i = sizeof value; i-- > 0; value = static_cast<T>(value >> 8))
    at[i] = static_cast<std::uint8_t>(value);
}
void put(std::uint8_t* at, std::uint8_t value) {
  *at = value;
}

template <class T>
T get(const std::uint8_t* at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) value = static_cast<T>(value << 8 | at[i]);
  return value;
}

}  // namespace

const char* words_of(Reject reject) {
  switch (reject) {
    case Reject::kNone:
      return "sound";
    case Reject::kStrange:
      return "not of this protocol";
    case Reject::kTruncated:
      return "cut off";
    case Reject::kForeign:
      return "of another cluster";
    case Reject::kForged:
      return "not signed with our key";
  }
  return "unsound";
}

std::string nonces_text(const std::vector<std::uint64_t>& nonces) {
  std::string text;
  for (const std::uint64_t nonce : nonces) {
    if (text.size() + sizeof nonce > kMaxName) break;
    std::uint8_t bytes[sizeof nonce];
    put(bytes, nonce);
    text.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
  }
  return text;
}

bool answers(const Message& slot, std::uint64_t nonce) {
  if (slot.nonce == nonce) return true;
  const auto* at = reinterpret_cast<const std::uint8_t*>(slot.target.data());
  for (std::size_t i = 0; i + sizeof nonce <= slot.target.size(); i += sizeof nonce) {
    if (get<std::uint64_t>(at + i) == nonce) return true;
  }
  return false;
}

struct Signer::Mac {
  EVP_MAC* algorithm = nullptr;
  EVP_MAC_CTX* context = nullptr;
  ~Mac() {
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(algorithm);
  }
};

Signer::Signer(std::string_view key, std::string_view cluster)
    : mac_(std::make_unique<Mac>()), cluster_(fnv1a(cluster)) {
  constexpr std::size_t kLeast = 32;
  if (key.size() < kLeast) {
    throw Error(Status::kUsage, "use the key", "of the heartbeats", "it is shorter than 32 bytes",
                "heartbeat key FILE makes one");
  }
  mac_->algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  mac_->context = mac_->algorithm == nullptr ? nullptr : EVP_MAC_CTX_new(mac_->algorithm);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  if (mac_->context == nullptr ||
      EVP_MAC_init(mac_->context, reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                   parameters) != 1) {
    throw Error(Status::kUnreachable, "set up HMAC-SHA-256", "libcrypto", "it does not offer it");
  }
}

Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;

void Signer::sign(std::span<const std::uint8_t> bytes, std::uint8_t* out) {
  std::size_t length = 0;
  // Initialised anew without a key, it keeps the key that it has.
  if (EVP_MAC_init(mac_->context, nullptr, 0, nullptr) != 1 ||
      EVP_MAC_update(mac_->context, bytes.data(), bytes.size()) != 1 ||
      EVP_MAC_final(mac_->context, out, &length, kMac) != 1 || length != kMac) {
    throw Error(Status::kUnreachable, "compute HMAC-SHA-256", "libcrypto", "it failed");
  }
}

std::size_t Signer::encode(const Message& message, MessageBytes& out) {
  const std::size_t name = std::min(message.name.size(), kMaxName);
  const std::size_t target = std::min(message.target.size(), kMaxName);
  std::uint8_t* at = out.data();
  std::memcpy(at, kMagic, sizeof kMagic);
  put(at + 4, kVersion);
  put(at + 5, static_cast<std::uint8_t>(message.type));
  put(at + 6,
      static_cast<std::uint16_t>((message.leaving ? kLeaving : 0) | (message.libvirt_ok ? kLibvirtOk : 0) |
                                 (message.storage_ok ? kStorageOk : 0) | (message.watchdog ? kWatchdog : 0) |
                                 (message.reached ? kReached : 0) | (message.fenced ? kFenced : 0) |
                                 (message.replaced ? kReplaced : 0)));
  put(at + 8, cluster_);
  put(at + 16, message.incarnation);
  put(at + 24, message.seq);
  put(at + 32, message.nonce);
  put(at + 40, message.echo);
  put(at + 48, message.self_fence_ms);
  put(at + 52, message.ack_age_ms);
  put(at + 56, message.vms);
  put(at + 58, static_cast<std::uint8_t>(name));
  put(at + 59, static_cast<std::uint8_t>(target));
  std::memcpy(at + kHead, message.name.data(), name);
  std::memcpy(at + kHead + name, message.target.data(), target);
  const std::size_t signed_length = kHead + name + target;
  sign({out.data(), signed_length}, at + signed_length);
  return signed_length + kMac;
}

Reject Signer::decode(std::span<const std::uint8_t> bytes, Message& out) {
  const std::uint8_t* at = bytes.data();
  if (bytes.size() < sizeof kMagic || std::memcmp(at, kMagic, sizeof kMagic) != 0) return Reject::kStrange;
  if (bytes.size() < kHead + kMac) return Reject::kTruncated;
  const auto type = at[5];
  if (at[4] != kVersion || type < static_cast<std::uint8_t>(Message::Type::kBeat) ||
      type > static_cast<std::uint8_t>(Message::Type::kSlot)) {
    return Reject::kStrange;
  }
  const std::size_t name = at[58];
  const std::size_t target = at[59];
  const std::size_t signed_length = kHead + name + target;
  if (name > kMaxName || target > kMaxName || bytes.size() != signed_length + kMac) return Reject::kTruncated;
  if (get<std::uint64_t>(at + 8) != cluster_) return Reject::kForeign;
  std::uint8_t mac[kMac];
  sign(bytes.first(signed_length), mac);
  if (CRYPTO_memcmp(mac, at + signed_length, kMac) != 0) return Reject::kForged;
  out.type = static_cast<Message::Type>(type);
  const auto flags = get<std::uint16_t>(at + 6);
  out.leaving = (flags & kLeaving) != 0;
  out.libvirt_ok = (flags & kLibvirtOk) != 0;
  out.storage_ok = (flags & kStorageOk) != 0;
  out.watchdog = (flags & kWatchdog) != 0;
  out.reached = (flags & kReached) != 0;
  out.fenced = (flags & kFenced) != 0;
  out.replaced = (flags & kReplaced) != 0;
  out.incarnation = get<std::uint64_t>(at + 16);
  out.seq = get<std::uint64_t>(at + 24);
  out.nonce = get<std::uint64_t>(at + 32);
  out.echo = get<std::uint64_t>(at + 40);
  out.self_fence_ms = get<std::uint32_t>(at + 48);
  out.ack_age_ms = get<std::uint32_t>(at + 52);
  out.vms = get<std::uint16_t>(at + 56);
  const auto* text = reinterpret_cast<const char*>(at + kHead);
  out.name.assign(text, name);
  out.target.assign(text + name, target);
  return Reject::kNone;
}

}  // namespace rackline::ha
