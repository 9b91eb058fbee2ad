// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/fd.h"
#include "base/own_file.h"
#include "base/secret.h"
#include "cluster/name.h"
#include "heartbeat/host_key.h"
#include "heartbeat/message.h"

namespace rackline::heartbeat {
namespace {

// All of it or nothing, also when the machine dies in between. The owner stays as he was.
void replace(const std::string& name, const std::string& text) {
  const char* attempted = "write the key";
  const std::string path = real_file(name);  // a link stays one
  const std::string fresh = path + ".new";
  unlink(fresh.c_str());
  const Fd file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) throw system_error(Status::kUnreachable, attempted, fresh);
  struct stat before = {};
  const bool owned = stat(path.c_str(), &before) != 0 || before.st_uid == geteuid() ||
                     fchown(file.get(), before.st_uid, before.st_gid) == 0;
  if (!owned || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      fsync(file.get()) != 0 || rename(fresh.c_str(), path.c_str()) != 0) {
    const int number = errno;
    unlink(fresh.c_str());
    throw system_error(Status::kUnreachable, attempted, path, number);
  }
  const auto slash = path.rfind('/');
  const Fd directory(open(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(),
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || fsync(directory.get()) != 0) throw system_error(Status::kUnreachable, attempted, path);
}

bool share_a_key(const std::vector<HostKey>& a, const std::vector<HostKey>& b) {
  return std::any_of(a.begin(), a.end(), [&](const HostKey& one) {
    return std::any_of(b.begin(), b.end(), [&](const HostKey& other) {
      return one.host == other.host && one.key.bytes == other.key.bytes;
    });
  });
}

// What is there before it is changed; a host's key file is none.
std::vector<std::string> keys_in(const std::string& path) {
  std::string text = read_secret(path);
  auto keys = master_keys(text);
  wipe(text);
  return keys;
}

}  // namespace

std::string host_key_text(std::string_view master_text, const std::string& host) {
  if (!cluster::valid_name(host) || host.size() > kMaxName)
    throw Error(Status::kUsage, "make the key of a host", host, "this is no name of a host");
  std::string text;
  for (auto& master : master_keys(master_text)) {
    text += host_key(master, host).line();
    wipe(master);
  }
  return text;
}

void write_host_key(const std::string& path, const std::string& text) {
  struct stat about = {};
  if (lstat(path.c_str(), &about) != 0) return replace(path, text);
  std::string present = read_secret(path);
  const auto keys = host_keys(present);
  wipe(present);
  const auto fresh = host_keys(text);
  if (share_a_key(keys, fresh)) return replace(path, text);  // @rule 16-key-of-another-host: true
  const std::string what =
      keys.empty() ? "a key that is no host's"
                   : "another key, of " + keys.front().host + ", " + key_id_text(keys.front().id());
  throw Error(Status::kRefused, "write the key of " + fresh.front().host, path, "there is " + what,
              "if it is not needed any more, remove it first");
}

void renew_master_key(const std::string& path) {
  auto keys = keys_in(path);
  if (keys.size() > 1) {
    throw Error(Status::kRefused, "make a new master key", path,
                "a change is under way, and a third key would make hosts silent",
                "end it first: heartbeat key --retire " + path);
  }
  std::string text = new_secret() + "\nprevious " + keys.front() + "\n";
  replace(path, text);
  wipe(text);
  wipe(keys.front());
}

void retire_master_key(const std::string& path) {
  auto keys = keys_in(path);
  if (keys.size() < 2)
    throw Error(Status::kRefused, "let go of the previous master key", path, "there is none");
  replace(path, keys.front() + "\n");
  for (auto& key : keys) wipe(key);
}

}  // namespace rackline::heartbeat
