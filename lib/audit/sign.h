// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace rackline::audit {

// Ed25519 (RFC 8032), keys in PEM as openssl(1) writes them.

struct KeyHandle;

class PublicKey {
 public:
  // From a file of a public or of a private key. Throws Error(kUnreachable) when it cannot be read,
  // Error(kUsage) when it holds no Ed25519 key.
  static PublicKey load(const std::string& file);

  bool verify(std::string_view message, std::string_view signature_hex) const;
  std::string id() const;  // 16 hex digits of the key's hash

 private:
  friend class PrivateKey;
  explicit PublicKey(std::shared_ptr<KeyHandle> key) : key_(std::move(key)) {}
  std::shared_ptr<KeyHandle> key_;
};

class PrivateKey {
 public:
  // Throws as read_secret (base/secret.h): others must have no access to the file; Error(kUsage) when it
  // holds a public key or none.
  static PrivateKey load(const std::string& file);
  // Makes a new pair: FILE for its owner's eyes, FILE.pub for everybody. Neither may be there.
  static PublicKey make(const std::string& file);

  std::string sign(std::string_view message) const;  // hex
  PublicKey public_key() const { return PublicKey(key_); }

 private:
  explicit PrivateKey(std::shared_ptr<KeyHandle> key) : key_(std::move(key)) {}
  std::shared_ptr<KeyHandle> key_;
};

// What a checkpoint signs: that in this chain the line of that number has that hash, at that time.
std::string checkpoint_message(std::string_view chain, std::int64_t at, std::string_view hash,
                               std::string_view time);

}  // namespace rackline::audit
