// SPDX-License-Identifier: Apache-2.0
#include "bmc/ask.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/secret.h"
#include "base/units.h"
#include "bmc/reply.h"
#include "net/http.h"
#include "proc/child.h"

namespace rackline::bmc {
namespace {

constexpr std::size_t kLongestWord = 200;

// What a program or a server said, without what could disturb a terminal.
std::string plain(std::string text) {
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.pop_back();
  if (const auto line = text.find_last_of("\r\n"); line != std::string::npos) text.erase(0, line + 1);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  if (text.size() > kLongestWord) text.replace(kLongestWord, std::string::npos, "...");
  return text;
}

Identity unknown(std::string why) {
  return {std::nullopt, std::move(why)};
}

Identity known(const std::optional<Uuid>& uuid, const std::string& missing) {
  if (!uuid) return unknown(missing);
  if (!is_unique(*uuid)) return unknown("its UUID " + to_text(*uuid) + " is a filler that identifies nobody");
  return {uuid, {}};
}

std::string in_brackets(const std::string& host) {
  return host.find(':') != std::string::npos && !host.starts_with('[') ? "[" + host + "]" : host;
}

}  // namespace

Identity ask_ipmi(const Controller& controller, Milliseconds timeout) {
  try {
    std::vector<std::string> argv{controller.ipmitool, "-I", controller.lanplus ? "lanplus" : "lan", "-H",
                                  controller.host};
    const auto add = [&](const char* option, const std::string& value) {
      if (value.empty()) return;
      argv.emplace_back(option);
      argv.push_back(value);
    };
    add("-p", controller.port);
    add("-t", controller.target);
    add("-U", controller.user);
    if (!controller.password_file.empty()) {
      read_secret(controller.password_file);  // others may not read it
      add("-f", std::filesystem::absolute(controller.password_file));
    }
    add("-C", controller.cipher);
    add("-L", controller.privilege);
    for (const char* word : {"-N", "2", "-R", "2", "raw", "0x06", "0x37"}) argv.emplace_back(word);
    const auto finished = proc::run(argv, {}, timeout, proc::Leavers::kKill);
    if (finished.timed_out) return unknown("no answer within " + format_duration(timeout));
    if (finished.status != 0)
      return unknown("ipmitool: " + plain(finished.err.empty() ? finished.out : finished.err));
    return known(guid_of_ipmitool(finished.out), "its answer is no GUID");
  } catch (const std::exception& error) {
    return unknown(plain(error.what()));
  }
}

Identity ask_redfish(const Controller& controller, Milliseconds timeout) {
  try {
    const std::string base =
        "https://" + in_brackets(controller.host) + (controller.port.empty() ? "" : ":" + controller.port);
    net::HttpTls tls;
    tls.ca_file = controller.ca_file;
    tls.insecure = controller.insecure;
    net::HttpLogin login{controller.user, {}};
    if (!controller.password_file.empty()) login.password = read_secret(controller.password_file);
    net::HttpClient client(tls);
    std::string path = controller.system;
    std::string why;
    const auto get = [&](const std::string& where) -> std::optional<std::string> {
      const auto answer = client.get(base + where, login, timeout);
      if (answer.status == 200) return answer.body;
      why = answer.status == 0 ? plain(answer.failure) : "HTTP status " + std::to_string(answer.status);
      return std::nullopt;
    };
    if (path.empty()) {
      const auto body = get("/redfish/v1/Systems");
      if (!body) return unknown(why);
      const auto systems = systems_of_redfish(*body);
      if (systems.empty()) return unknown("it names no system");
      path = systems.back();
    }
    const auto body = get(path);
    if (!body) return unknown(why);
    return known(uuid_of_redfish(*body), "its system has no UUID");
  } catch (const std::exception& error) {
    return unknown(plain(error.what()));
  }
}

}  // namespace rackline::bmc
