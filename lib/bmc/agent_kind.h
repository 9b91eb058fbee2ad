// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace rackline::bmc {

// What is known of the agents of ClusterLabs fence-agents 4.12: by the name of the program that is started,
// through links and PATH, and, of a copy under another name, by what it says. Any other agent is taken to
// read its password from stdin and to keep it to itself.

// How an agent treats the password that it is given.
enum class PasswordWay {
  kStdin,   // it keeps it to itself
  kFile,    // it hands it to ipmitool as an argument, and can be made to hand the name of a file instead
  kRefuse,  // it hands it to another program as an argument, which everybody on the machine can read
};

struct AgentKind {
  std::string name;    // of the program, without its directory and through links
  std::string family;  // what switches the same device by another name has the same
  PasswordWay password = PasswordWay::kStdin;
  std::string secret = "password";  // the option that takes its password
  bool ipmi = false;                // one of the names of fence_ipmilan
  bool one_system = false;          // the device switches one system: a management controller
  bool web = false;                 // it speaks HTTP by itself: no option gets into a command line
  std::string port;                 // that it uses when it is given none; may be empty
  std::string use_instead;          // of kRefuse, for a person
  std::string text;                 // of a program of the package; empty: it is none, or cannot be read
  std::string copy;                 // the same for programs with the same contents; may be empty

  bool has_identity() const;  // the UUID of the system can be asked for
  // False when the program cannot know an option of that name, and so ignores it.
  bool reads(const std::string& option) const;
  bool takes_plug() const;
  bool takes_address() const;
};

// Where the program of an agent is, as it was found; empty when there is none.
std::string agent_file(const std::string& agent);

AgentKind agent_kind(const std::string& agent);

// The name by which an option is known here: blanks gone, "-" as "_", and one for those with several.
std::string option_name(std::string_view name);

}  // namespace rackline::bmc
