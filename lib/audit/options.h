// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
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

enum class Verb { kAppend, kVerify, kQuery, kFollow, kTrail, kRotate, kRedact, kCheckpoint, kKey };

// Which of the declared commands was typed.
class Verbs {
 public:
  Verb given() const;
  CLI::App* add(CLI::App* app, Verb verb);

 private:
  std::vector<std::pair<CLI::App*, Verb>> all_;
};

// The commands and options of audit; what is typed arrives in `options`.
Verbs declare(cli::Program& program, Options& options);

}  // namespace rackline::audit
