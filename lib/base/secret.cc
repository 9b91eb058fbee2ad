// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/id.h"

namespace rackline {

void keep_memory_private() {
  // What the kernel refuses is left undone: the secret is needed all the same.
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

std::string read_secret(const std::string& path) {
  keep_memory_private();  // @rule 20-memory
  constexpr std::size_t kMost = 64 << 10;
  const char* attempted = "read the secret";
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) throw system_error(Status::kUnreachable, attempted, path);
  struct stat status = {};
  if (fstat(file.get(), &status) != 0) throw system_error(Status::kUnreachable, attempted, path);
  if (!S_ISREG(status.st_mode)) throw Error(Status::kRefused, attempted, path, "it is not a regular file");
  if ((status.st_mode & 077) != 0) {  // @rule 20-others-may-read
    throw Error(Status::kRefused, attempted, path, "others than its owner have access to it",
                "chmod 600 " + path);
  }
  if (status.st_uid != geteuid() && status.st_uid != 0)
    throw Error(Status::kRefused, attempted, path, "it belongs to somebody else");
  std::string text(kMost + 1, '\0');
  const ssize_t size = read(file.get(), text.data(), text.size());
  if (size < 0) throw system_error(Status::kUnreachable, attempted, path);
  if (static_cast<std::size_t>(size) > kMost)
    throw Error(Status::kRefused, attempted, path, "it is too large");
  text.resize(static_cast<std::size_t>(size));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) throw Error(Status::kRefused, attempted, path, "it is empty");
  return text;
}

std::string new_secret() {
  std::string text;
  constexpr int kParts = 4;  // of 64 bits
  for (int i = 0; i < kParts; ++i) text += random_id();
  return text;
}

void make_secret(const std::string& path) {
  keep_memory_private();
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const std::string text = new_secret() + '\n';
  if (!file || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      fsync(file.get()) != 0) {
    throw system_error(Status::kUnreachable, "make a secret", path);
  }
}

bool has_password(std::string_view url) {
  const auto slashes = url.find("://");
  if (slashes == std::string_view::npos) return false;
  const auto rest = url.substr(slashes + 3);
  const auto authority = rest.substr(0, rest.find_first_of("/?#"));
  // A password that nobody has encoded may hold a slash itself: then a colon comes before what is no port.
  const auto colon = authority.find(':');
  if (colon == std::string_view::npos) return false;
  if (authority.rfind('@') != std::string_view::npos) return colon < authority.rfind('@');
  const auto port = authority.substr(authority.rfind(':') + 1);
  return authority.front() != '[' && port.find_first_not_of("0123456789,") != std::string_view::npos &&
         rest.find('@') != std::string_view::npos;
}

std::string without_password(std::string_view url) {
  const auto slashes = url.find("://");
  if (slashes == std::string_view::npos) return std::string(url);
  const auto rest = url.substr(slashes + 3);
  const auto at = rest.rfind('@');
  if (at == std::string_view::npos || rest.substr(0, at).find(':') == std::string_view::npos)
    return std::string(url);
  return std::string(url.substr(0, slashes + 3)) + "***" + std::string(rest.substr(at));
}

}  // namespace rackline
