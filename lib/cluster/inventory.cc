// SPDX-License-Identifier: Apache-2.0
#include "cluster/inventory.h"

#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "cluster/name.h"
#include "record/reader.h"

namespace rackline::cluster {

std::vector<record::Host> load_inventory(const std::string& path) {
  if (path.empty()) {
    throw Error(
        Status::kUsage, "read the inventory", "", "there is none",
        "name one with --inventory FILE or RACKLINE_INVENTORY, or make /etc/rackline/inventory.jsonl");
  }
  Fd file;
  if (path != "-") {
    file = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) throw system_error(Status::kUsage, "read the inventory", path);
  }
  record::Reader reader(path == "-" ? STDIN_FILENO : file.get(), path == "-" ? "stdin" : path,
                        record::Policy::kRefuse, {});
  std::vector<record::Host> hosts;
  std::map<std::string, std::int64_t> lines;
  while (reader.next()) {
    if (!reader.is<record::Host>()) continue;
    record::Host host;
    reader.read(host);
    const auto where = path + ": line " + std::to_string(reader.line());
    if (host.host.empty()) throw Error(Status::kUsage, "read the inventory", where, "the host has no name");
    if (!valid_name(host.host)) {
      throw Error(Status::kUsage, "read the inventory", where, "the host's name is none that a host may have",
                  "letters, digits, '.', '_' and '-', at most 128, the first a letter or a digit, no \"..\"");
    }
    if (host.uri.empty())
      throw Error(Status::kUsage, "read the inventory", where, "host " + host.host + " has no uri");
    for (const auto& [name, url] : {std::pair("uri", record::Text(host.uri)),
                                    std::pair("peer_uri", host.peer_uri), std::pair("bmc", host.bmc)}) {
      if (url && has_password(*url)) {
        throw Error(Status::kUsage, "read the inventory", where,
                    std::string(name) + " of host " + host.host + " holds a password",
                    "passwords come from files: fence --bmc-password-file, or libvirt's own auth.conf");
      }
    }
    const auto [first, added] = lines.emplace(host.host, reader.line());
    if (!added) {
      throw Error(Status::kUsage, "read the inventory", where,
                  "host " + host.host + " stands in line " + std::to_string(first->second) + " already");
    }
    hosts.push_back(std::move(host));
  }
  if (hosts.empty()) {
    throw Error(Status::kUsage, "read the inventory", path, "it has no host",
                R"(a line of it is {"kind":"host","host":"h1","uri":"qemu+ssh://h1/system"})");
  }
  return hosts;
}

}  // namespace rackline::cluster
