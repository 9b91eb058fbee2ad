// SPDX-License-Identifier: Apache-2.0
#include "ha/fence_method.h"

#include <fcntl.h>

#include <algorithm>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "record/reader.h"

namespace rackline::ha {
namespace {

constexpr const char* kReading = "read the inventory";

// ADDRESS, ADDRESS:PORT, [ADDRESS] or [ADDRESS]:PORT.
struct Address {
  std::string host, port;
};

Address address_of(const std::string& host, const std::string& bmc, std::string text) {
  while (text.ends_with('/')) text.pop_back();
  Address address;
  const bool bracketed = text.starts_with('[');
  const auto close = bracketed ? text.find(']') : std::string::npos;
  const auto colon =
      bracketed ? (close == std::string::npos ? close : text.find(':', close)) : text.find(':');
  address.host =
      bracketed ? text.substr(1, close == std::string::npos ? 0 : close - 1) : text.substr(0, colon);
  if (colon != std::string::npos) address.port = text.substr(colon + 1);
  const bool number = address.port.find_first_not_of("0123456789") == std::string::npos;
  const bool whole = colon == std::string::npos || !address.port.empty();
  if (address.host.empty() || !number || !whole ||
      address.host.find_first_of("/@ \t\n") != std::string::npos) {
    throw Error(Status::kUsage, kReading, "host " + host,
                "bmc " + bmc + " is not of the form ipmi://ADDRESS[:PORT] or redfish://ADDRESS[:PORT]");
  }
  return address;
}

FenceMethod method_of_bmc(const record::Host& host, const BmcAccess& access) {
  const std::string& bmc = *host.bmc;
  const auto slashes = bmc.find("://");
  const std::string scheme = bmc.substr(0, slashes);
  const auto address =
      address_of(host.host, bmc, slashes == std::string::npos ? "" : bmc.substr(slashes + 3));
  FenceMethod method;
  method.password_file = access.password_file;
  method.options = {"ip=" + address.host};
  if (!address.port.empty()) method.options.push_back("ipport=" + address.port);
  if (!access.user.empty()) method.options.push_back("username=" + access.user);
  if (scheme == "ipmi") {
    method.agent = "fence_ipmilan";
    // The state is read back anyway: the agent's own waits would only delay that.
    for (const char* option : {"lanplus=1", "power_wait=0"}) method.options.emplace_back(option);
    method.options.push_back("cipher=" + std::to_string(access.cipher));
  } else if (scheme == "redfish") {
    method.agent = "fence_redfish";
    method.options.emplace_back("ssl=1");
    method.options.emplace_back("power_wait=0");
  } else {
    address_of(host.host, bmc, "");  // says what is expected
  }
  return method;
}

FenceMethod method_of_record(const record::FenceMethod& given) {
  const std::string where = "fence_method of host " + given.host;
  FenceMethod method;
  method.agent = given.agent;
  method.level = given.level;
  if (given.options) method.options = *given.options;
  method.password_file = given.password_file.value_or("");
  method.attempts = static_cast<int>(given.attempts.value_or(method.attempts));
  method.timeout = Milliseconds{given.timeout_ms.value_or(method.timeout.count())};
  method.delay = Milliseconds{given.delay_ms.value_or(0)};
  if (method.agent.empty()) throw Error(Status::kUsage, kReading, where, "agent is empty");
  if (method.attempts < 1 || method.attempts > 10)
    throw Error(Status::kUsage, kReading, where, "attempts is not from 1 to 10");
  if (method.timeout < Milliseconds{100} || method.timeout > Milliseconds{600'000})
    throw Error(Status::kUsage, kReading, where, "timeout_ms is not from 100 to 600000");
  if (method.delay < Milliseconds{0} || method.delay > Milliseconds{60'000})
    throw Error(Status::kUsage, kReading, where, "delay_ms is not from 0 to 60000");
  for (const std::string& option : method.options) {
    const std::string name = option.substr(0, option.find('='));
    // What is wrong is told without the line itself.
    if (name == "password" || name == "passwd" || name == "snmp_priv_passwd" || name == "action") {
      throw Error(Status::kUsage, kReading, where, "options hold " + name + ", which has no place there",
                  "a password goes into a file that password_file names");
    }
    if (name == option || option.find_first_of("\n\r") != std::string::npos)
      throw Error(Status::kUsage, kReading, where, "an option is not one line of the form NAME=VALUE");
  }
  return method;
}

}  // namespace

std::string FenceMethod::option(const std::string& name) const {
  for (const std::string& line : options) {
    if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
  }
  return {};
}

std::string FenceMethod::title() const {
  const std::string place = option("ip").empty() ? option("ipaddr") : option("ip");
  const std::string plug = option("plug").empty() ? option("port") : option("plug");
  return agent + (place.empty() ? "" : " " + place) + (plug.empty() ? "" : " " + plug);
}

std::vector<record::FenceMethod> read_fence_methods(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw system_error(Status::kUsage, kReading, path);
  record::Reader reader(file.get(), path, record::Policy::kRefuse, {});
  std::vector<record::FenceMethod> methods;
  while (reader.next()) {
    if (reader.is<record::FenceMethod>()) reader.read(methods.emplace_back());
  }
  return methods;
}

std::map<std::string, FenceLevels> fence_methods(const std::vector<record::Host>& hosts,
                                                 const std::vector<record::FenceMethod>& records,
                                                 const BmcAccess& access) {
  std::map<std::string, std::map<std::int64_t, FenceLevel>> given;
  for (const auto& host : hosts) given[host.host];
  for (const auto& record : records) {
    const auto found = given.find(record.host);
    if (found == given.end()) {
      throw Error(Status::kUsage, kReading, "fence_method of host " + record.host,
                  "there is no host of that name");
    }
    found->second[record.level].push_back(method_of_record(record));
  }
  std::map<std::string, FenceLevels> methods;
  for (const auto& host : hosts) {
    auto& levels = methods[host.host];
    for (auto& [level, of_level] : given[host.host]) {
      const bool self =
          std::any_of(of_level.begin(), of_level.end(), [](const auto& one) { return one.self(); });
      if (self && of_level.size() > 1) {
        throw Error(Status::kUsage, kReading, "fence_method of host " + host.host,
                    "self shares level " + std::to_string(level) + " with another method");
      }
      levels.push_back(std::move(of_level));
    }
    if (levels.empty() && host.bmc) levels.push_back({method_of_bmc(host, access)});
  }
  return methods;
}

std::string read_password(const std::string& path) {
  std::string password = read_secret(path);
  // The agents' options are lines: what follows a line end would be another option.
  if (password.find_first_of("\r\n") != std::string::npos)
    throw Error(Status::kRefused, "read the password", path, "it has more than one line");
  return password;
}

}  // namespace rackline::ha
