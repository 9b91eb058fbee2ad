// SPDX-License-Identifier: Apache-2.0
#include "bmc/method.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/fd.h"
#include "base/secret.h"
#include "bmc/address.h"
#include "bmc/agent_kind.h"
#include "bmc/method_options.h"
#include "bmc/switch.h"
#include "record/reader.h"

namespace rackline::bmc {
namespace {

constexpr const char* kReading = "read the inventory";

FenceMethod method_of_bmc(const record::Host& host, const BmcAccess& access) {
  const std::string where = "host " + host.host;
  // The text is never repeated: somebody may have put a password into it.
  const auto address = bmc::parse_address(*host.bmc);
  if (!address) {
    throw Error(Status::kUsage, kReading, where,
                "bmc is not of the form ipmi://ADDRESS[:PORT] or redfish://ADDRESS[:PORT]",
                "user and password have options of their own: --bmc-user, --bmc-password-file");
  }
  FenceMethod method;
  method.host = host.host;
  method.password_file = access.password_file;
  // fence_redfish makes a URL of it, where an IPv6 address has brackets.
  const bool brackets = address->scheme == "redfish" && address->ipv6();
  method.options = {"ip=" + (brackets ? "[" + address->host + "]" : address->host)};
  if (!address->port.empty()) method.options.push_back("ipport=" + address->port);
  if (!access.user.empty()) method.options.push_back("username=" + access.user);
  if (address->scheme == "ipmi") {
    method.agent = "fence_ipmilan";
    if (host.bmc_tls || host.bmc_ca_file)
      throw Error(Status::kUsage, kReading, where, "bmc_tls and bmc_ca_file are for redfish:// alone");
    // The state is read back anyway: the agent's own waits would only delay that.
    for (const char* option : {"lanplus=1", "power_wait=0"}) method.options.emplace_back(option);
    const auto cipher = host.bmc_cipher.value_or(access.cipher);
    if (cipher < 0 || cipher > 17)
      throw Error(Status::kUsage, kReading, where, "bmc_cipher is not from 0 to 17");
    method.options.push_back("cipher=" + std::to_string(cipher));
  } else {
    method.agent = "fence_redfish";
    method.options.emplace_back("ssl=1");
    method.options.emplace_back("power_wait=0");
    if (host.bmc_cipher) throw Error(Status::kUsage, kReading, where, "bmc_cipher is for ipmi:// alone");
    const std::string tls = host.bmc_tls.value_or("verify");
    if (tls != "verify" && tls != "insecure")
      throw Error(Status::kUsage, kReading, where, "bmc_tls is neither verify nor insecure");
    method.ca_file = host.bmc_ca_file.value_or("");
    if (tls == "insecure") {
      if (!method.ca_file.empty())
        throw Error(Status::kUsage, kReading, where, "bmc_tls insecure makes bmc_ca_file useless: give one");
      method.options.emplace_back("ssl_insecure=1");
    }
    if (!method.ca_file.empty() && !method.ca_file.starts_with('/'))
      throw Error(Status::kUsage, kReading, where, "bmc_ca_file is not an absolute path");
  }
  settle_options(where, method);
  return method;
}

FenceMethod method_of_record(const record::FenceMethod& given) {
  const std::string where = "fence_method of host " + given.host;
  FenceMethod method;
  method.host = given.host;
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
  settle_options(where, method);
  return method;
}

}  // namespace

std::string FenceMethod::option(const std::string& name) const {
  for (const std::string& line : options) {
    const auto equals = line.find('=');
    if (equals != std::string::npos && option_name(line.substr(0, equals)) == name)
      return line.substr(equals + 1);
  }
  return {};
}

std::string FenceMethod::title() const {
  const std::string place = option("ip");
  const std::string plug = option("plug");
  return agent + (place.empty() ? "" : " " + place) + (plug.empty() ? "" : " " + plug);
}

std::vector<record::FenceMethod> read_fence_methods(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw system_error(Status::kUsage, kReading, path);
  record::Reader reader(file.get(), path, record::Policy::kRefuse, {});
  std::vector<record::FenceMethod> methods;
  bool names_power = false;
  while (reader.next()) {
    if (reader.is<record::FenceMethod>()) reader.read(methods.emplace_back());
    if (record::Host host; reader.is<record::Host>() && reader.read(host))
      names_power |= host.bmc.has_value();
  }
  names_power |= !methods.empty();
  // It names programs that are run, and where passwords are sent and power is switched.
  struct stat found {};
  if (names_power && fstat(file.get(), &found) == 0 && S_ISREG(found.st_mode)) {
    if (found.st_uid != 0 && found.st_uid != geteuid())
      throw Error(Status::kRefused, kReading, path,
                  "it says whose power is switched and belongs to another user");
    if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
      throw Error(Status::kRefused, kReading, path, "it says whose power is switched and others may write it",
                  "chmod go-w " + path);
    }
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
  refuse_shared_switches(methods);  // @rule 22-one-switch-one-host
  return methods;
}

std::string read_password(const std::string& path) {
  std::string password = read_secret(path);
  // The agents' options are lines: what follows a line end would be another option.
  if (password.find_first_of("\r\n") != std::string::npos)
    throw Error(Status::kRefused, "read the password", path, "it has more than one line");
  for (const char c : password) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
      throw Error(Status::kRefused, "read the password", path, "it holds a control character");
  }
  return password;
}

}  // namespace rackline::bmc
