// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "audit/options.h"
#include "base/error.h"
#include "cli/program.h"

namespace rackline::audit {

// The commands of audit. Each throws Error for what it cannot read or write.
Status append(cli::Program& program, const Options& options);
Status verify(cli::Program& program, Options& options);
Status query(cli::Program& program, const Options& options);
Status follow(cli::Program& program, const Options& options);
Status tell(cli::Program& program, const Options& options);
Status rotate(cli::Program& program, const Options& options);
Status redact(cli::Program& program, const Options& options);
Status checkpoint(cli::Program& program, const Options& options);
Status make_key(cli::Program& program, const Options& options);

}  // namespace rackline::audit
