// SPDX-License-Identifier: Apache-2.0
#include "bmc/agent.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/units.h"
#include "bmc/agent_kind.h"
#include "bmc/agent_mask.h"
#include "bmc/method_options.h"
#include "proc/child.h"

namespace rackline::bmc {
namespace {

constexpr std::size_t kLongestComplaint = 290;
constexpr std::size_t kHead = 80;

std::string quoted(const std::string& path) {
  std::string text = "'";
  for (const char c : path) text += c == '\'' ? std::string("'\"'\"'") : std::string(1, c);
  return text + "'";
}

std::string trimmed(std::string line) {
  while (!line.empty() && static_cast<unsigned char>(line.back()) <= ' ') line.pop_back();
  const auto first =
      std::find_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) > ' '; });
  line.erase(line.begin(), first);
  return line;
}

// "2026-11-29 08:00:00,123 ERROR: " is what Python's log puts before a line.
std::string without_stamp(const std::string& line) {
  constexpr std::size_t kLongestStamp = 36;
  for (const char* level : {" ERROR: ", " WARNING: ", " CRITICAL: "}) {
    const auto at = line.find(level);
    if (at != std::string::npos && at < kLongestStamp && line.front() >= '0' && line.front() <= '9')
      return trimmed(line.substr(at + std::string_view(level).size()));
  }
  return line;
}

bool is_hint(const std::string& line) {
  return line.find("Please use '-h' for usage") != std::string::npos ||
         line.starts_with("Parse error: Ignoring");
}

// The agents end most failures with a hint at their usage, whatever went wrong. The line before it says why.
std::string telling_line(const std::string& text) {
  std::string last, telling;
  for (std::size_t from = 0; from <= text.size();) {
    const auto end = std::min(text.find_first_of("\r\n", from), text.size());
    const auto line = without_stamp(trimmed(text.substr(from, end - from)));
    from = end + 1;
    if (line.empty()) continue;
    last = line;
    if (!is_hint(line)) telling = line;
  }
  return telling.empty() ? last : telling;
}

// Whether a line is the status in the form of the agents, and nothing else.
bool says(const std::string& text, const char* status) {
  for (std::size_t from = 0; from < text.size();) {
    const auto end = std::min(text.find('\n', from), text.size());
    if (trimmed(text.substr(from, end - from)) == status) return true;
    from = end + 1;
  }
  return false;
}

Power status_of(const proc::Finished& finished) {
  const bool on = says(finished.out, "Status: ON");
  const bool off = says(finished.out, "Status: OFF");
  if (finished.status == 0 && on && !off) return Power::kOn;
  if (finished.status == 2 && off && !on && !says(finished.err, "Status: ON")) return Power::kOff;
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
  std::vector<std::string> lines;
  const auto kind = agent_kind(method.agent);
  const auto way = kind.password;
  if (way == PasswordWay::kRefuse && !password.empty())
    throw Error(Status::kRefused, "tell the fence agent", method.agent,
                "it would show the password to everybody");
  const bool by_file = !password.empty() && way == PasswordWay::kFile;  // @rule 20-argv: false
  for (const std::string& option : method.options) {
    if (!by_file || !option.starts_with("ipmitool_timeout=")) lines.push_back(option);
  }
  if (by_file) {
    // The agent puts this option's value on ipmitool's command line as it is: so ipmitool reads the file
    // itself, and its last password option counts.
    const std::string given = method.option("ipmitool_timeout");
    lines.push_back("ipmitool_timeout=" + (given.empty() ? "2" : given) + " -f " +
                    quoted(std::filesystem::absolute(method.password_file)));
  } else if (!password.empty()) {
    lines.push_back(kind.secret + "=" + password);
  }
  // Of an option that comes twice the last one counts.
  lines.push_back(std::string("action=") + name_of(action));
  return agent_lines(lines);
}

std::string agent_complaint(const std::string& text, const std::string& secret) {
  std::string clean = without_secret(text, secret);
  clean = telling_line(clean);
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  // What matters stands at either end: what was tried, and the innermost reason.
  if (clean.size() > kLongestComplaint)
    clean = clean.substr(0, kHead) + "..." + clean.substr(clean.size() - (kLongestComplaint - kHead));
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
    // The agents for Redfish take their authorities from the environment.
    std::vector<std::string> argv{method.agent};
    if (!method.ca_file.empty()) argv.insert(argv.begin(), {"env", "REQUESTS_CA_BUNDLE=" + method.ca_file});
    const auto finished =
        proc::run(argv, agent_input(method, action, password), timeout, proc::Leavers::kKill);
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

}  // namespace rackline::bmc
