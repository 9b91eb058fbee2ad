// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/query.h"
#include "audit/trail.h"
#include "audit/verify.h"
#include "cli/program.h"

namespace rackline::audit {

struct Options {
  std::string file = "/var/lib/rackline/audit.jsonl";
  std::string key, durable = "behind", checkpoints;
  Milliseconds checkpoint_every{0};
  VerifyOptions verify;
  Query query;
  std::string since, until;
  std::vector<std::string> fields;  // NAME=VALUE
  std::int64_t limit = 0;           // 0: all
  bool records = false, all = false, plain = false, accept_loss = false;
  std::int64_t larger = 0;
  Trail::Redaction redaction;
  std::string id, new_key;
};

// Declares the commands and options of audit; what is typed arrives in `options`.
void declare(cli::Program& program, Options& options);

}  // namespace rackline::audit
