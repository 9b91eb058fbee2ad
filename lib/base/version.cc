// SPDX-License-Identifier: Apache-2.0
#include "base/version.h"

#ifndef RACKLINE_VERSION
#error "RACKLINE_VERSION comes from the build"
#endif

namespace rackline {

const char* version() {
  return RACKLINE_VERSION;
}

}  // namespace rackline
