// SPDX-License-Identifier: Apache-2.0
#include "ha/fence_agent.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/units.h"
#include "proc/child.h"

namespace rackline::ha {
namespace {

constexpr std::size_t kLongestComplaint = 200;

// These hand a password that they get to ipmitool as an argument, where everybody on the machine can read it.
bool shows_password(const std::string& agent) {
  constexpr std::array kNames{"fence_ipmilan", "fence_idrac", "fence_ilo3",
                              "fence_ilo4",    "fence_ilo5",  "fence_imm"};
  const std::string name = std::filesystem::path(agent).filename();
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::string quoted(const std::string& path) {
  std::string text = "'";
  for (const char c : path) text += c == '\'' ? std::string("'\"'\"'") : std::string(1, c);
  return text + "'";
}

Power status_of(const proc::Finished& finished) {
  const bool on = finished.out.find("Status: ON") != std::string::npos;
  const bool off = finished.out.find("Status: OFF") != std::string::npos;
  if (finished.status == 0 && on && !off) return Power::kOn;
  if (finished.status == 2 && off && !on) return Power::kOff;
  return Power::kUnknown;
}

}  // namespace

const char* name_of(Power power) {
  return power == Power::kOn ? "on" : power == Power::kOff ? "off" : "unknown";
}

const char* name_of(PowerAction action) {
  return action == PowerAction::kStatus ? "status" : action == PowerAction::kOff ? "off" : "on";
}

std::string agent_input(const FenceMethod& method, PowerAction action, const std::string& password) {
  std::string input = std::string("action=") + name_of(action) + "\n";
  const bool by_file = !password.empty() && shows_password(method.agent);
  for (const std::string& option : method.options) {
    if (!by_file || !option.starts_with("ipmitool_timeout=")) input += option + "\n";
  }
  if (by_file) {
    // The agent puts this option's value on ipmitool's command line as it is: so ipmitool reads the file
    // itself, and its last password option counts.
    const std::string given = method.option("ipmitool_timeout");
    input += "ipmitool_timeout=" + (given.empty() ? "2" : given) + " -f " +
             quoted(std::filesystem::absolute(method.password_file)) + "\n";
  } else if (!password.empty()) {
    input += "password=" + password + "\n";
  }
  return input;
}

std::string agent_complaint(const std::string& text, const std::string& secret) {
  std::string clean = text;
  for (auto at = clean.find(secret); !secret.empty() && at != std::string::npos;
       at = clean.find(secret, at)) {
    clean.replace(at, secret.size(), "***");
    at += 3;
  }
  while (!clean.empty() && std::isspace(static_cast<unsigned char>(clean.back())) != 0) clean.pop_back();
  const auto line = clean.find_last_of("\r\n");
  if (line != std::string::npos) clean.erase(0, line + 1);
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  if (clean.size() > kLongestComplaint) clean = clean.substr(0, kLongestComplaint) + "...";
  return clean;
}

FenceAgents::FenceAgents() {
  // They are in Python, and what it thinks of their code would stand where their complaint is looked for.
  setenv("PYTHONWARNINGS", "ignore", 0);
}

AgentReply FenceAgents::call(const FenceMethod& method, PowerAction action, Milliseconds timeout) {
  AgentReply reply;
  std::string password;
  try {
    if (!method.password_file.empty()) password = read_password(method.password_file);
    const auto finished = proc::run({method.agent}, agent_input(method, action, password), timeout);
    if (action == PowerAction::kStatus && !finished.timed_out) reply.power = status_of(finished);
    reply.accepted = action == PowerAction::kStatus ? reply.power != Power::kUnknown
                                                    : finished.status == 0 && !finished.timed_out;
    if (reply.accepted) return reply;
    reply.why = finished.timed_out ? "no answer within " + format_duration(timeout)
                                   : "exit status " + std::to_string(finished.status);
    const std::string said = agent_complaint(finished.err.empty() ? finished.out : finished.err, password);
    if (!said.empty()) reply.why += ", \"" + said + "\"";
  } catch (const Error& error) {
    reply.why = agent_complaint(error.what(), password);
  }
  return reply;
}

}  // namespace rackline::ha
