// SPDX-License-Identifier: Apache-2.0
// audit: keeps every record that passes in a file of which no line can be changed, removed or moved unseen.
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "audit/check.h"
#include "audit/follow.h"
#include "audit/query.h"
#include "audit/records.h"
#include "audit/sign.h"
#include "audit/story.h"
#include "audit/tee.h"
#include "audit/trail.h"
#include "base/interrupt.h"
#include "cli/program.h"

namespace rackline {
namespace {

struct Options {
  std::string file = "/var/lib/rackline/audit.jsonl";
  std::string key, durable = "behind", checkpoints;
  Milliseconds checkpoint_every{0};
  audit::VerifyOptions verify;
  audit::Query query;
  std::string since, until;
  bool records = false, all = false, plain = false, accept_loss = false;
  std::int64_t larger = 0;
  audit::Trail::Redaction redaction;
  std::string id, new_key;
};

audit::Trail trail_of(cli::Program& program, const Options& options) {
  const auto given = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
  };
  const auto& who = options.query;
  audit::Author author{who.actor.empty() ? audit::this_person() : who.actor,
                       who.host.empty() ? audit::this_machine() : who.host, given(who.request),
                       given(who.cause)};
  return {options.file, std::move(author), program.clock(),
          [&](const std::string& text) { program.warn(text); }};
}

Status append(cli::Program& program, const Options& options) {
  program.describes_itself();  // stdout is what came in, with the `end` record that was in it
  if (isatty(STDIN_FILENO) == 1)
    throw Error(Status::kUsage, "read records", "stdin", "it is a terminal", "pipe records in");
  auto trail = trail_of(program, options);
  std::optional<audit::PrivateKey> key;
  if (!options.key.empty()) key = audit::PrivateKey::load(options.key);
  trail.open(options.accept_loss);
  const audit::TeeOptions how{
      options.durable == "before" ? audit::TeeOptions::Durable::kBefore : audit::TeeOptions::Durable::kBehind,
      key ? &*key : nullptr, options.checkpoint_every};
  const auto counts = audit::tee(STDIN_FILENO, STDOUT_FILENO, trail, program.clock(), how);
  if (counts.reader_gone) interrupt::request(SIGPIPE);
  if (counts.broken > 0) {
    program.warn("keep records: stdin: " + std::to_string(counts.broken) +
                 " lines were no records; they are kept as text");
    return Status::kUsage;
  }
  return Status::kDone;
}

Status verify(cli::Program& program, Options& options) {
  std::optional<audit::PublicKey> key;
  if (!options.key.empty()) key = audit::PublicKey::load(options.key);
  options.verify.key = key ? &*key : nullptr;
  if (!options.checkpoints.empty()) options.verify.checkpoints = audit::read_checkpoints(options.checkpoints);
  const auto result = audit::check_trail(options.file, options.verify, [&](const audit::Finding& finding) {
    program.out().write(audit::record_of(finding));
  });
  if (interrupt::requested()) return Status::kNo;
  program.out().write(audit::record_of(result, key.has_value()));
  program.end().records = result.records;
  return result.findings == 0 ? Status::kDone : Status::kNo;
}

// A line of the trail as it stands, so that it can be checked again; what passed, as it passed; or, for
// people, a step of a story.
void show(cli::Program& program, const Options& options, std::string_view line) {
  if (options.records) {
    if (const auto record = audit::record_in(line); !record.empty()) program.out().pass(record);
  } else if (program.out().format() == cli::Format::kJson) {
    program.out().pass(line);
  } else {
    program.out().write(audit::step_of(line));
  }
}

Status query(cli::Program& program, Options& options, bool follow) {
  auto& wanted = options.query;
  const auto now = program.clock().wall();
  if (!options.since.empty()) wanted.since = audit::parse_when(options.since, now);
  if (!options.until.empty()) wanted.until = audit::parse_when(options.until, now);
  std::int64_t found = 0;
  const auto look = [&](std::string_view line) {
    if (!wanted.fits(line)) return !interrupt::requested();
    ++found;
    show(program, options, line);
    if (follow) program.out().flush();
    return !interrupt::requested();
  };
  if (follow) {
    audit::follow(options.file, options.all, look);
  } else {
    audit::all_lines(options.file, look);
  }
  program.end().records = found;
  return Status::kDone;
}

Status tell(cli::Program& program, const Options& options) {
  const auto steps =
      audit::story_of(options.id, [&](const auto& each) { audit::all_lines(options.file, each); });
  for (const auto& step : steps) program.out().write(step);
  program.end().records = static_cast<std::int64_t>(steps.size());
  if (!steps.empty()) return Status::kDone;
  program.warn("tell: " + options.id + ": nothing in the trail has this id or cause");
  return Status::kNo;
}

// Only append begins a trail: elsewhere a name that was mistyped would make one.
std::int64_t require_trail(const Options& options) {
  struct stat about = {};
  if (stat(options.file.c_str(), &about) != 0)
    throw system_error(Status::kUsage, "open the trail", options.file);
  return about.st_size;
}

Status rotate(cli::Program& program, const Options& options) {
  if (require_trail(options) < options.larger) return Status::kDone;
  auto trail = trail_of(program, options);
  const auto rotated = trail.rotate(!options.plain);
  if (!rotated) return Status::kDone;
  record::AuditPart part;
  part.file = rotated->file;
  part.part = rotated->part;
  part.last = rotated->last;
  program.out().write(part);
  program.end().done = 1;
  return Status::kDone;
}

Status redact(cli::Program& program, const Options& options) {
  require_trail(options);
  auto trail = trail_of(program, options);
  program.end().done = static_cast<std::int64_t>(trail.redact(options.redaction));
  program.end().already = static_cast<std::int64_t>(options.redaction.lines.size()) - *program.end().done;
  return Status::kDone;
}

Status checkpoint(cli::Program& program, const Options& options) {
  require_trail(options);
  const auto key = audit::PrivateKey::load(options.key);
  program
      .describes_itself();  // what is printed is to be kept: a file of checkpoints, and nothing between them
  program.out().pass(trail_of(program, options).checkpoint(key));
  return Status::kDone;
}

Status make_key(cli::Program& program, const Options& options) {
  program.describes_itself();
  const auto made = audit::PrivateKey::make(options.new_key);
  program.note("key " + made.id() + ": " + options.new_key + " signs, " + options.new_key + ".pub verifies");
  return Status::kDone;
}

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

void declare(cli::Program& program, Options& options) {
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
  text("--since", options.since, "TIME", "not before: 2026-11-22T12:00:00Z, or how long ago: 2h");
  text("--until", options.until, "TIME", "not after");
  text("--kind", wanted.kind, "KIND", "kind of the record");
  text("--object", wanted.object, "NAME", "a host, virtual server or anything else that the record names");
  text("--outcome", wanted.outcome, "WORD", "its outcome: done, failed, refused");
  at.add_flag("--records", options.records, "what passed, without what the trail has put around it");
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program(
      {.name = "audit",
       .nature = cli::Nature::kKeep,
       .summary = "keep what passes in a trail that nobody can change unseen",
       .description =
           "Each line is chained to the one before by its hash. The trail is a file of JSON lines.",
       .examples = {{"heartbeat watch | fence | failover | audit append", "keep what was done in the night"},
                    {"capwatch | capplan balance | audit append --request OPS-7 | migrate",
                     "keep a plan before it is carried out"},
                    {"audit verify --key audit.key.pub", "is it all there, and as it was written?"},
                    {"audit query --since 2h --object h3", "what happened to a host"},
                    {"audit trail 3f2a9c", "an incident from the first suspicion to its end"},
                    {"audit checkpoint --key audit.key | ssh far 'cat >>checkpoints'",
                     "from now on the end cannot be cut off unseen either"},
                    {"audit rotate --larger 100MiB", "from cron: begin a new file, compress the old one"}}});
  Options options;
  declare(program, options);
  auto& app = program.app();
  app.require_subcommand(1);
  auto* appending = app.add_subcommand("append", "pass records on, and keep each");
  program
      .choice(*appending, "--durable", options.durable, {"behind", "before"},
              "whether records reach the disk right behind their passing on, or before it")
      ->capture_default_str();
  program.duration(*appending, "--checkpoint", options.checkpoint_every,
                   "with --key: sign after so long, and at the end; 0: at the end");
  appending->add_flag("--accept-loss", options.accept_loss,
                      "go on where lines are missing at the end, and keep in the trail that they are");
  auto* verifying = app.add_subcommand("verify", "find what was changed, removed, moved, added or cut off");
  program.completes(verifying->add_option("--checkpoints", options.checkpoints, "checkpoints kept elsewhere")
                        ->type_name("FILE"),
                    cli::Program::Values::kFiles);
  verifying->add_option("--chain", options.verify.chain, "the chain that it has to be")->type_name("ID");
  verifying->add_flag("--thorough", options.verify.thorough, "also what only redaction needs");
  auto* querying = app.add_subcommand("query", "the lines that are wanted");
  declare_query(*querying, options);
  auto* following = app.add_subcommand("follow", "the lines that are wanted, as they come");
  declare_query(*following, options);
  following->add_flag("--all", options.all, "first those that are there");
  auto* telling = app.add_subcommand("trail", "one incident as a story");
  telling->add_option("ID", options.id, "id or cause of any record of it")->required();
  auto* rotating = app.add_subcommand("rotate", "begin a new part, compress the full one");
  program.bytes(*rotating, "--larger", options.larger, "only when the trail has at least this size");
  rotating->add_flag("--plain", options.plain, "do not compress it");
  auto* redacting = app.add_subcommand("redact", "take fields out of lines; the trail can still be verified");
  redacting->add_option("--line", options.redaction.lines, "number of a line, as in seq")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber)
      ->required();
  redacting->add_option("--field", options.redaction.fields, "actor, or record.NAME of the record")
      ->type_name("NAME")
      ->required();
  redacting->add_option("--reason", options.redaction.reason, "why; it stands in the trail")
      ->type_name("WORDS")
      ->required();
  auto* signing =
      app.add_subcommand("checkpoint", "sign all that is there, and print what to keep elsewhere");
  auto* making = app.add_subcommand("key", "make a pair of keys: FILE and FILE.pub");
  program.completes(making->add_option("FILE", options.new_key, "the new private key")->required(),
                    cli::Program::Values::kFiles);
  return program.run(argc, argv, [&] {
    if (*appending) return append(program, options);
    if (*verifying) return verify(program, options);
    if (*querying || *following) return query(program, options, static_cast<bool>(*following));
    if (*telling) return tell(program, options);
    if (*rotating) return rotate(program, options);
    if (*redacting) return redact(program, options);
    if (*signing) return checkpoint(program, options);
    return make_key(program, options);
  });
}
