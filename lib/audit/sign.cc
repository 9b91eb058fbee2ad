// SPDX-License-Identifier: Apache-2.0
#include "audit/sign.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <vector>

#include "audit/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"

namespace rackline::audit {

struct KeyHandle {
  explicit KeyHandle(EVP_PKEY* owned) : key(owned) {}
  ~KeyHandle() { EVP_PKEY_free(key); }
  KeyHandle(const KeyHandle&) = delete;
  KeyHandle& operator=(const KeyHandle&) = delete;
  EVP_PKEY* key;
};

namespace {

constexpr std::size_t kSignature = 64;
constexpr std::size_t kMostPem = 64 << 10;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// A key with a passphrase would make OpenSSL ask on the terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

std::shared_ptr<KeyHandle> parse(const std::string& pem, bool private_key) {
  const std::unique_ptr<BIO, FreeBio> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  EVP_PKEY* key = private_key ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr)
                              : PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr);
  if (key == nullptr) return nullptr;
  auto handle = std::make_shared<KeyHandle>(key);
  return EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? handle : nullptr;
}

std::string read_file(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) throw system_error(Status::kUnreachable, "read the key", path);
  std::string text(kMostPem, '\0');
  const ssize_t size = read(file.get(), text.data(), text.size());
  if (size < 0) throw system_error(Status::kUnreachable, "read the key", path);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::string pem_of(EVP_PKEY* key, bool private_key) {
  const std::unique_ptr<BIO, FreeBio> bio(BIO_new(BIO_s_mem()));
  const int done = private_key
                       ? PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr)
                       : PEM_write_bio_PUBKEY(bio.get(), key);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  if (done != 1 || size <= 0) throw Error(Status::kUnreachable, "make a key", "OpenSSL", "it refuses");
  return {bytes, static_cast<std::size_t>(size)};
}

void write_new(const std::string& path, const std::string& text, mode_t mode) {
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      fsync(file.get()) != 0)
    throw system_error(Status::kUnreachable, "make a key", path);
}

}  // namespace

PublicKey PublicKey::load(const std::string& file) {
  const std::string pem = read_file(file);
  auto key = parse(pem, pem.find("PRIVATE KEY") != std::string::npos);
  if (!key) throw Error(Status::kUsage, "read the key", file, "it holds no Ed25519 key", "audit key FILE");
  return PublicKey(std::move(key));
}

bool PublicKey::verify(std::string_view message, std::string_view signature_hex) const {
  const auto signature = from_hex<std::array<std::uint8_t, kSignature>>(signature_hex);
  if (!signature) return false;
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_->key) == 1 &&
         EVP_DigestVerify(context.get(), signature->data(), signature->size(),
                          reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
}

std::string PublicKey::id() const {
  std::array<std::uint8_t, 32> raw{};
  std::size_t size = raw.size();
  EVP_PKEY_get_raw_public_key(key_->key, raw.data(), &size);
  constexpr std::size_t kShown = 16;
  return to_hex(bytes_of(sha256({bytes_of(raw)}))).substr(0, kShown);
}

PrivateKey PrivateKey::load(const std::string& file) {
  // First, as a public key may be readable for everybody and must not be advised to be hidden.
  if (access(file.c_str(), R_OK) == 0 && read_file(file).find("BEGIN PUBLIC KEY") != std::string::npos) {
    throw Error(Status::kUsage, "read the key", file, "it is a public key, which only verifies",
                "the private one signs: the file of its name without .pub");
  }
  auto key = parse(read_secret(file) + "\n", true);
  if (!key) {
    throw Error(Status::kUsage, "read the key", file, "it holds no private Ed25519 key without a passphrase",
                "audit key FILE");
  }
  return PrivateKey(std::move(key));
}

PublicKey PrivateKey::make(const std::string& file) {
  EVP_PKEY* made = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  if (made == nullptr) throw Error(Status::kUnreachable, "make a key", "OpenSSL", "it refuses");
  const auto key = std::make_shared<KeyHandle>(made);
  write_new(file, pem_of(made, true), 0600);
  write_new(file + ".pub", pem_of(made, false), 0644);
  return PublicKey(key);
}

std::string PrivateKey::sign(std::string_view message) const {
  std::array<std::uint8_t, kSignature> signature{};
  std::size_t size = signature.size();
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_->key) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size,
                     reinterpret_cast<const unsigned char*>(message.data()), message.size()) != 1)
    throw Error(Status::kUnreachable, "sign", "OpenSSL", "it refuses");
  return to_hex(bytes_of(signature));
}

std::string checkpoint_message(std::string_view chain, std::int64_t at, std::string_view hash,
                               std::string_view time) {
  std::string message = "rackline audit checkpoint 1\n";
  const std::string number = std::to_string(at);
  for (const std::string_view part : {chain, std::string_view(number), hash, time}) {
    message += part;
    message += '\n';
  }
  return message;
}

}  // namespace rackline::audit
