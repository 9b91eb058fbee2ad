// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rackline {

const char* version();  // "0.1.0", as the build says

}  // namespace rackline
