// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/program.h"

namespace rackline::observe {

// Of `all`, what is called by one of `names`, in the order of `all`; all, if there are no names. `name` is
// the member that has it, `noun` one of them for a person: "host". Throws Error(kUsage) for a name that is
// nowhere.
template <class T>
std::vector<T> chosen(std::vector<T> all, const std::vector<std::string>& names, std::string T::*name,
                      const std::string& noun) {
  if (names.empty()) return all;
  for (const std::string& wanted : names) {
    if (std::none_of(all.begin(), all.end(), [&](const T& one) { return one.*name == wanted; })) {
      throw Error(Status::kUsage, "choose the " + noun + "s", wanted, "the inventory has no such " + noun);
    }
  }
  std::erase_if(all, [&](const T& one) { return std::count(names.begin(), names.end(), one.*name) == 0; });
  return all;
}

// Tells who of a round gave no answer; the same ones once, however many rounds they miss. Where none answers,
// the end of the program says that.
class Silence {
 public:
  Silence(cli::Program& program, std::string nouns) : program_(program), nouns_(std::move(nouns)) {}

  void add(const std::string& name, const std::string& why);
  // The round is whole: so many were asked, and so many answered.
  void end_round(std::int64_t asked, std::int64_t answered);

 private:
  cli::Program& program_;
  std::string nouns_;  // "hosts"
  std::set<std::string> silent_, told_;
  std::vector<std::string> texts_;
};

// One a line, and as a terminal may show them where stdout is one. Throws Error(kUnreachable) where it cannot
// be written.
void print_names(const std::vector<std::string>& names);

}  // namespace rackline::observe
