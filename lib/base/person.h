// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rackline {

// The user at the keyboard, also behind sudo: who is answerable for what a program was told.
std::string this_person();

}  // namespace rackline
