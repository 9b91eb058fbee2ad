// SPDX-License-Identifier: Apache-2.0
#include "audit/options.h"

#include <CLI/CLI.hpp>

namespace rackline::audit {
namespace {

// When writing they stand in the lines, when reading they say which lines are wanted.
void declare_who(cli::Program& program, Options& options) {
  auto& app = program.app();
  const auto text = [&](const char* flag, std::string& value, const char* type, const char* what) {
    app.add_option(flag, value, what)->type_name(type);
  };
  text("--actor", options.query.actor, "NAME", "who did it; when writing, by default who runs this");
  text("--host", options.query.host, "NAME", "on which machine; when writing, by default this one");
  text("--request", options.query.request, "WORDS", "what it was done for: a ticket, a job");
  text("--cause", options.query.cause, "ID", "the incident; when writing, of records that name none");
}

void declare_common(cli::Program& program, Options& options) {
  auto& app = program.app();
  const auto file = [&](CLI::App& at, const char* flag, std::string& value, const char* text) {
    auto* option = at.add_option(flag, value, text)->type_name("FILE");
    program.completes(option, cli::Program::Values::kFiles);
    return option;
  };
  file(app, "--file", options.file, "the trail")->envname("RACKLINE_AUDIT")->capture_default_str();
  file(app, "--key", options.key, "Ed25519 key: the private one signs, the public one verifies");
  declare_who(program, options);
}

// The options that query and follow share.
void declare_query(CLI::App& at, Options& options) {
  auto& wanted = options.query;
  const auto text = [&](const char* flag, std::string& value, const char* type, const char* what) {
    at.add_option(flag, value, what)->type_name(type);
  };
  text("--since", options.since, "TIME",
       "not before: 2h ago, 21:00 today, \"2026-11-22 08:00\" in local time, 2026-11-22T12:00:00Z");
  text("--until", options.until, "TIME", "not after");
  text("--kind", wanted.kind, "KIND", "kind of the record");
  text("--object", wanted.object, "NAME", "a host, virtual server or anything else that the record names");
  text("--outcome", wanted.outcome, "WORD",
       "its outcome: done, failed, refused, whether a field says so or its kind");
  at.add_option("--field", options.fields, "a field of the record: owner=web")
      ->type_name("NAME=VALUE")
      ->take_all();
  at.add_flag("--records", options.records, "what passed, without what the trail has put around it");
}

}  // namespace

CLI::App* Verbs::add(CLI::App* app, Verb verb) {
  all_.emplace_back(app, verb);
  return app;
}

Verb Verbs::given() const {
  for (const auto& [app, verb] : all_) {
    if (app->parsed()) return verb;
  }
  return Verb::kVerify;  // one is required
}

Verbs declare(cli::Program& program, Options& options) {
  declare_common(program, options);
  auto& app = program.app();
  app.require_subcommand(1);
  Verbs verbs;
  auto* appending = verbs.add(app.add_subcommand("append", "pass records on, and keep each"), Verb::kAppend);
  program
      .choice(*appending, "--durable", options.durable, {"behind", "before"},
              "whether records reach the disk right behind their passing on, or before it")
      ->capture_default_str();
  program.duration(*appending, "--checkpoint", options.checkpoint_every,
                   "with --key: sign after so long, and at the end; 0: at the end");
  appending->add_flag("--accept-loss", options.accept_loss,
                      "go on where lines are missing at the end, and keep in the trail that they are");
  auto* verifying = verbs.add(
      app.add_subcommand("verify", "find what was changed, removed, moved, added or cut off"), Verb::kVerify);
  program.completes(verifying->add_option("--checkpoints", options.checkpoints, "checkpoints kept elsewhere")
                        ->type_name("FILE"),
                    cli::Program::Values::kFiles);
  verifying
      ->add_option("--from-part", options.verify.from_part,
                   "the parts before it are kept elsewhere: begin with it")
      ->type_name("N")
      ->check(cli::kAboveZero);
  verifying->add_option("--chain", options.verify.chain, "the chain that it has to be")->type_name("ID");
  verifying->add_flag("--thorough", options.verify.thorough, "also what only redaction needs");
  auto* querying = verbs.add(app.add_subcommand("query", "the lines that are wanted"), Verb::kQuery);
  declare_query(*querying, options);
  querying->add_option("--limit", options.limit, "only the last ones")
      ->type_name("N")
      ->check(cli::kAboveZero);
  auto* following =
      verbs.add(app.add_subcommand("follow", "the lines that are wanted, as they come"), Verb::kFollow);
  declare_query(*following, options);
  following->add_flag("--all", options.all, "first those that are there");
  auto* telling = verbs.add(app.add_subcommand("trail", "one incident as a story"), Verb::kTrail);
  telling->add_option("ID", options.id, "id or cause of any record of it, or its first 6 digits or more")
      ->required();
  auto* rotating =
      verbs.add(app.add_subcommand("rotate", "begin a new part, compress the full one"), Verb::kRotate);
  program.bytes(*rotating, "--larger", options.larger, "only when the trail has at least this size");
  rotating->add_flag("--plain", options.plain, "do not compress it");
  auto* redacting =
      verbs.add(app.add_subcommand("redact", "take fields out of lines; the trail can still be verified"),
                Verb::kRedact);
  redacting->add_option("--line", options.redaction.lines, "number of a line, as in seq")
      ->type_name("N")
      ->check(cli::kFromZero)
      ->required();
  redacting->add_option("--field", options.redaction.fields, "actor, or record.NAME of the record")
      ->type_name("NAME")
      ->required();
  redacting->add_option("--reason", options.redaction.reason, "why; it stands in the trail")
      ->type_name("WORDS")
      ->required();
  verbs.add(app.add_subcommand("checkpoint", "sign all that is there, and print what to keep elsewhere"),
            Verb::kCheckpoint);
  auto* making = verbs.add(app.add_subcommand("key", "make a pair of keys: FILE and FILE.pub"), Verb::kKey);
  program.completes(making->add_option("FILE", options.new_key, "the new private key")->required(),
                    cli::Program::Values::kFiles);
  return verbs;
}

}  // namespace rackline::audit
