// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rackline::bmc {

// The text with *** for the secret, as it is and in the forms in which programs repeat what they were given:
// URL-encoded, with backslashes before some characters, and in base64, also within a longer text such as
// USER:PASSWORD.
std::string without_secret(const std::string& text, const std::string& secret);

}  // namespace rackline::bmc
