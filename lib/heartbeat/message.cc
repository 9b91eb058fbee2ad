// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/message.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstring>

#include "base/big_endian.h"
#include "base/error.h"
#include "base/id.h"

namespace rackline::heartbeat {
namespace {

constexpr std::size_t kMac = 32;
constexpr char kMagic[] = {'R', 'L', 'H', 'B'};
constexpr std::uint8_t kShared = 1, kKeyed = 2;  // versions

std::size_t head_of(std::uint8_t version) {
  return version == kShared ? 60 : 64;
}

enum Flag : std::uint16_t {
  kLeaving = 1,
  kLibvirtOk = 2,
  kStorageOk = 4,
  kWatchdog = 8,
  kReached = 16,
  kFenced = 32,
  kReplaced = 64
};

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

std::string nonces_text(const std::vector<std::uint64_t>& nonces, std::size_t most) {
  std::string text;
  for (const std::uint64_t nonce : nonces) {
    if (text.size() + sizeof nonce > most) break;
    std::uint8_t bytes[sizeof nonce];
    put_big_endian(bytes, nonce);
    text.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
  }
  return text;
}

bool answers(const Message& slot, std::uint64_t nonce) {
  if (slot.nonce == nonce) return true;
  const auto* at = reinterpret_cast<const std::uint8_t*>(slot.target.data());
  for (std::size_t i = 0; i + sizeof nonce <= slot.target.size(); i += sizeof nonce) {
    if (big_endian<std::uint64_t>(at + i) == nonce) return true;
  }
  return false;
}

struct Signer::Mac {
  EVP_MAC_CTX* context = nullptr;
  ~Mac() { EVP_MAC_CTX_free(context); }
};

Signer::Signer(std::string_view shared, std::string_view cluster)
    : mac_(std::make_unique<Mac>()), cluster_(cluster_tag(cluster)), shared_(true) {
  constexpr std::size_t kLeast = 32;
  if (shared.size() < kLeast) {
    throw Error(Status::kUsage, "use the key", "of the heartbeats", "it is shorter than 32 bytes",
                "heartbeat key FILE makes one");
  }
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  mac_->context = algorithm == nullptr ? nullptr : EVP_MAC_CTX_new(algorithm);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  if (mac_->context == nullptr ||
      EVP_MAC_init(mac_->context, reinterpret_cast<const unsigned char*>(shared.data()), shared.size(),
                   parameters) != 1) {
    throw Error(Status::kUnreachable, "set up HMAC-SHA-256", "libcrypto", "it does not offer it");
  }
  const Key name = expand("rackline heartbeat key id");
  id_ = std::max(big_endian<std::uint32_t>(name.bytes.data()), std::uint32_t{1});
}

Signer::Signer(const Key& key, std::string_view cluster) : Signer(key.view(), cluster) {
  shared_ = false;
}

Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;

Key Signer::expand(std::string_view info) {
  // One block of 32 bytes: T(1) = HMAC(key, info | 1).
  const std::string block = std::string(info) + '\1';
  Key key;
  sign({reinterpret_cast<const std::uint8_t*>(block.data()), block.size()}, key.bytes.data());
  return key;
}

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
  const std::uint8_t version = shared_ ? kShared : kKeyed;
  const std::size_t head = head_of(version);
  const std::size_t name = std::min(message.name.size(), kMaxName);
  const std::size_t target = std::min(message.target.size(), shared_ ? kMaxName : kMaxTarget);
  std::uint8_t* at = out.data();
  std::memcpy(at, kMagic, sizeof kMagic);
  put_big_endian(at + 4, version);
  put_big_endian(at + 5, static_cast<std::uint8_t>(message.type));
  put_big_endian(at + 6, static_cast<std::uint16_t>(
                             (message.leaving ? kLeaving : 0) | (message.libvirt_ok ? kLibvirtOk : 0) |
                             (message.storage_ok ? kStorageOk : 0) | (message.watchdog ? kWatchdog : 0) |
                             (message.reached ? kReached : 0) | (message.fenced ? kFenced : 0) |
                             (message.replaced ? kReplaced : 0)));
  put_big_endian(at + 8, cluster_);
  put_big_endian(at + 16, message.incarnation);
  put_big_endian(at + 24, message.seq);
  put_big_endian(at + 32, message.nonce);
  put_big_endian(at + 40, message.echo);
  put_big_endian(at + 48, message.self_fence_ms);
  put_big_endian(at + 52, message.ack_age_ms);
  put_big_endian(at + 56, message.vms);
  put_big_endian(at + 58, static_cast<std::uint8_t>(name));
  put_big_endian(at + 59, static_cast<std::uint8_t>(target));
  if (!shared_) put_big_endian(at + 60, id_);
  std::memcpy(at + head, message.name.data(), name);
  std::memcpy(at + head + name, message.target.data(), target);
  const std::size_t signed_length = head + name + target;
  sign({out.data(), signed_length}, at + signed_length);
  return signed_length + kMac;
}

std::uint64_t cluster_tag(std::string_view cluster) {
  return fnv1a(cluster);
}

std::size_t message_length(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < head_of(kShared) || std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0) return 0;
  return head_of(bytes[4]) + bytes[58] + bytes[59] + kMac;
}

Reject read_unproven(std::span<const std::uint8_t> bytes, std::uint64_t cluster_tag, Message& out) {
  const std::uint8_t* at = bytes.data();
  if (bytes.size() < sizeof kMagic || std::memcmp(at, kMagic, sizeof kMagic) != 0) return Reject::kStrange;
  if (bytes.size() < head_of(kShared) + kMac) return Reject::kTruncated;
  const auto version = at[4];
  const auto type = at[5];
  const auto last = version == kShared ? Message::Type::kSlot : Message::Type::kWitness;
  if ((version != kShared && version != kKeyed) || type < static_cast<std::uint8_t>(Message::Type::kBeat) ||
      type > static_cast<std::uint8_t>(last)) {
    return Reject::kStrange;
  }
  const std::size_t head = head_of(version);
  const std::size_t name = at[58];
  const std::size_t target = at[59];
  if (name > kMaxName || target > (version == kShared ? kMaxName : kMaxTarget) ||
      bytes.size() != head + name + target + kMac)
    return Reject::kTruncated;
  if (big_endian<std::uint64_t>(at + 8) != cluster_tag) return Reject::kForeign;
  out.type = static_cast<Message::Type>(type);
  const auto flags = big_endian<std::uint16_t>(at + 6);
  out.leaving = (flags & kLeaving) != 0;
  out.libvirt_ok = (flags & kLibvirtOk) != 0;
  out.storage_ok = (flags & kStorageOk) != 0;
  out.watchdog = (flags & kWatchdog) != 0;
  out.reached = (flags & kReached) != 0;
  out.fenced = (flags & kFenced) != 0;
  out.replaced = (flags & kReplaced) != 0;
  out.incarnation = big_endian<std::uint64_t>(at + 16);
  out.seq = big_endian<std::uint64_t>(at + 24);
  out.nonce = big_endian<std::uint64_t>(at + 32);
  out.echo = big_endian<std::uint64_t>(at + 40);
  out.self_fence_ms = big_endian<std::uint32_t>(at + 48);
  out.ack_age_ms = big_endian<std::uint32_t>(at + 52);
  out.vms = big_endian<std::uint16_t>(at + 56);
  out.key_id = version == kShared ? 0 : big_endian<std::uint32_t>(at + 60);
  if (version == kKeyed && out.key_id == 0) return Reject::kStrange;
  out.doubtful = out.anew = false;
  const auto* text = reinterpret_cast<const char*>(at + head);
  out.name.assign(text, name);
  out.target.assign(text + name, target);
  return Reject::kNone;
}

bool Signer::signed_by(std::span<const std::uint8_t> bytes, const Message& unproven) {
  if (unproven.key_id != (shared_ ? 0 : id_)) return false;
  std::uint8_t mac[kMac];
  const std::size_t signed_length = bytes.size() - kMac;
  sign(bytes.first(signed_length), mac);
  return CRYPTO_memcmp(mac, bytes.data() + signed_length, kMac) == 0;
}

Reject Signer::decode(std::span<const std::uint8_t> bytes, Message& out) {
  const Reject reject = read_unproven(bytes, cluster_, out);
  if (reject != Reject::kNone) return reject;
  return signed_by(bytes, out) ? Reject::kNone : Reject::kForged;
}

}  // namespace rackline::heartbeat
