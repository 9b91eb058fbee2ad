// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rackline {

// The user at the keyboard, also behind sudo: who is answerable for what a program was told.
std::string this_person();

// Leaves a sentence for a person in a file of its own below `directory`, where it stands whole or not at all.
// Throws Error(kUnreachable).
void leave_call(const std::string& directory, const std::string& sentence);

}  // namespace rackline
