// SPDX-License-Identifier: Apache-2.0
#include "cluster/inventory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/letters.h"
#include "base/secret.h"
#include "cluster/name.h"
#include "net/address.h"
#include "net/spelling.h"
#include "record/reader.h"

namespace rackline::cluster {
namespace {

std::string before(std::string_view& rest, std::string_view separator) {
  const auto end = rest.find(separator);
  std::string part(rest.substr(0, end));
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + separator.size());
  return part;
}

// With the bytes that %XX stands for.
std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned byte = 0;
    const char* first = text.data() + at + 1;
    if (text[at] == '%' && at + 2 < text.size()) {
      if (const auto [end, error] = std::from_chars(first, first + 2, byte, 16);
          error == std::errc() && end == first + 2) {
        result += static_cast<char>(byte);
        at += 2;
        continue;
      }
    }
    result += text[at];
  }
  return result;
}

// The addresses of the machine that asks, which a URI without a host means as well.
bool is_this_machine(const std::string& spelling) {
  constexpr std::array<std::string_view, 6> kOurs{
      "localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "127.0.0.1", "::1"};
  return std::find(kOurs.begin(), kOurs.end(), spelling) != kOurs.end();
}

// Decoded, as libvirt reads it, each slash once and none at the end.
std::string path_of(std::string_view text) {
  std::string path;
  for (const char c : decoded(text)) {
    if (c != '/' || !path.ends_with('/')) path += c;
  }
  if (path.ends_with('/')) path.pop_back();
  return path;
}

// Whether a daemon of the system listens there as it comes: libvirtd, or the one of this driver alone.
bool is_usual(std::string socket, const std::string& driver) {
  if (socket.starts_with("/var/run/")) socket.erase(0, 4);
  if (socket.ends_with("-ro")) socket.resize(socket.size() - 3);
  return socket == "/run/libvirt/libvirt-sock" || socket == "/run/libvirt/virt" + driver + "d-sock";
}

// One text for all libvirt URIs, driver[+transport]://[user@][host][:port][/path][?options][#fragment], that
// lead to the same hypervisor, by whatever user and transport; more than one where an address can be read in
// two ways. None for the test driver, whose every connection is a world of its own.
std::vector<std::string> hypervisors(std::string_view uri) {
  std::string_view options = uri.substr(0, uri.find('#'));
  const std::string address = before(options, "?");
  std::string_view rest = address;
  const std::string scheme = small_letters(before(rest, "://"));
  std::string_view transport = scheme;
  std::string driver = before(transport, "+");
  if (driver == "test" || uri.find("://") == std::string_view::npos) return {};
  const auto slash = rest.find('/');
  std::string path = path_of(slash == std::string_view::npos ? "" : rest.substr(slash));
  std::string_view host = rest.substr(0, slash);
  if (const auto at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  // Read less strictly than elsewhere: what libvirt may understand must not make one hypervisor look like
  // two.
  std::string port;
  const auto bracket = host.rfind(']');
  if (const auto colon = host.rfind(':');
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  while (port.starts_with('0')) port.erase(0, 1);  // port 0 is none
  if (host.empty()) port.clear();                  // and so is a port of no host
  const bool ssh = transport == "ssh" || transport == "libssh" || transport == "libssh2";
  const auto usual = ssh ? "22" : transport == "tcp" ? "16509" : "16514";
  if (port == usual) port.clear();
  std::string socket;
  while (!options.empty()) {
    std::string_view value = options.substr(0, options.find_first_of("&;"));
    options.remove_prefix(std::min(value.size() + 1, options.size()));
    const std::string name = small_letters(before(value, "="));
    if (name == "socket") socket = path_of(value);
    // What the daemon there is asked for, in place of the driver and the path.
    if (name == "name" && !value.empty()) {
      const std::string there = decoded(value);
      std::string_view inner = there;
      const std::string inner_scheme = small_letters(before(inner, "://"));
      driver = inner_scheme.substr(0, inner_scheme.find('+'));
      path = path_of(inner.substr(std::min(inner.find('/'), inner.size())));
    }
  }
  // Over TCP and TLS, which is what a host without a transport means, there is none.
  const bool through_a_socket = transport.empty() ? host.empty() : transport != "tcp" && transport != "tls";
  if (!through_a_socket || (path != "/session" && is_usual(socket, driver))) socket.clear();
  std::vector<std::string> result;
  for (const auto& spelling : net::spellings(decoded(host)))
    result.push_back(driver + "://" + (is_this_machine(spelling) ? "" : spelling) + ":" + port + path + "?" +
                     socket);
  return result;
}

// "" when migrations can go there: a number or a name that a person would read as libvirt does.
std::string wrong_with_migration_uri(std::string_view uri) {
  constexpr std::string_view kScheme = "tcp://";
  const auto address =
      uri.starts_with(kScheme) ? net::parse_address(uri.substr(kScheme.size())) : std::nullopt;
  const auto is_name = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.'; };
  if (!address || !address->fits_url() || address->misleads() || address->port == 0 ||
      (!address->ipv6() && !std::all_of(address->host.begin(), address->host.end(), is_name)))
    return "is none: " + std::string(uri);
  if (net::is_loopback(address->host)) return "is each host's own: " + std::string(uri);
  return {};
}

}  // namespace

void each_in_inventory(const std::string& path, const std::function<void(record::Reader&)>& each) {
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
  while (reader.next()) each(reader);
}

std::vector<record::Host> load_inventory(const std::string& path) {
  std::vector<record::Host> hosts;
  std::map<std::string, std::int64_t> lines;
  std::map<std::string, std::string> owners;     // of hypervisors
  std::map<std::string, std::string> receivers;  // by migration_uri
  each_in_inventory(path, [&](record::Reader& reader) {
    if (!reader.is<record::Host>()) return;
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
    for (const auto& [name, url] :
         {std::pair("uri", record::Text(host.uri)), std::pair("peer_uri", host.peer_uri),
          std::pair("migration_uri", host.migration_uri), std::pair("bmc", host.bmc)}) {
      if (url && has_password(*url)) {  // @rule 20-url-password
        throw Error(Status::kUsage, "read the inventory", where,
                    std::string(name) + " of host " + host.host + " holds a password",
                    "passwords come from files: fence --bmc-password-file, or libvirt's own auth.conf");
      }
    }
    if (host.migration_uri) {
      if (const auto wrong = wrong_with_migration_uri(*host.migration_uri); !wrong.empty())
        throw Error(Status::kUsage, "read the inventory", where,
                    "migration_uri of host " + host.host + " " + wrong,
                    "tcp://10.0.0.1, tcp://[fd00::1] or tcp://h1-fast, perhaps with a port");
      const auto [owner, alone] = receivers.emplace(*host.migration_uri, host.host);
      if (!alone)
        throw Error(Status::kUsage, "read the inventory", where,
                    "hosts " + owner->second + " and " + host.host + " have one migration_uri");
    }
    const auto [first, added] = lines.emplace(host.host, reader.line());
    if (!added) {
      throw Error(Status::kUsage, "read the inventory", where,
                  "host " + host.host + " stands in line " + std::to_string(first->second) + " already");
    }
    // Under two names one host would be counted twice, and the death of one name be taken for that of both.
    for (const auto& hypervisor : hypervisors(host.uri)) {
      const auto [owner, alone] = owners.emplace(hypervisor, host.host);
      if (alone || owner->second == host.host) continue;
      throw Error(Status::kUsage, "read the inventory", where,
                  "hosts " + owner->second + " and " + host.host + " have one and the same hypervisor",
                  "each host has a uri of its own");
    }
    hosts.push_back(std::move(host));
  });
  if (hosts.empty()) {
    throw Error(Status::kUsage, "read the inventory", path, "it has no host",
                R"(a line of it is {"kind":"host","host":"h1","uri":"qemu+ssh://h1/system"})");
  }
  return hosts;
}

}  // namespace rackline::cluster
