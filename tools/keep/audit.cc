// SPDX-License-Identifier: Apache-2.0
// audit: keeps every record that passes in a file of which no line can be changed, removed or moved unseen.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <deque>

#include "audit/check.h"
#include "audit/follow.h"
#include "audit/options.h"
#include "audit/query.h"
#include "audit/records.h"
#include "audit/sign.h"
#include "audit/story.h"
#include "audit/tee.h"
#include "audit/trail.h"
#include "base/interrupt.h"
#include "base/person.h"
#include "cli/program.h"

namespace rackline {
namespace {

using audit::Options;

audit::Trail trail_of(cli::Program& program, const Options& options) {
  const auto given = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
  };
  const auto& who = options.query;
  audit::Author author{who.actor.empty() ? this_person() : who.actor,
                       who.host.empty() ? audit::this_machine() : who.host, given(who.request),
                       given(who.cause)};
  return {options.file, std::move(author), program.clock(),
          [&](const std::string& text) { program.warn(text); }};
}

std::string what_was_broken(const audit::TeeCounts& counts) {
  std::string lines;
  for (const auto number : counts.first_broken) lines += (lines.empty() ? "" : ", ") + std::to_string(number);
  if (counts.broken == 1) return "line " + lines + " was no record; it is kept as text";
  const bool more = counts.broken > static_cast<std::int64_t>(counts.first_broken.size());
  return std::to_string(counts.broken) + " lines were no records (" + (more ? "the first are " : "") + lines +
         "); they are kept as text";
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
    program.warn("keep records: stdin: " + what_was_broken(counts));
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

audit::Query wanted_of(cli::Program& program, const Options& options) {
  auto wanted = options.query;
  const auto now = program.clock().wall();
  if (!options.since.empty()) wanted.since = audit::parse_when(options.since, now);
  if (!options.until.empty()) wanted.until = audit::parse_when(options.until, now);
  for (const auto& field : options.fields) wanted.fields.push_back(audit::parse_field(field));
  // What passed are JSON lines, and so is the end behind them.
  if (options.records) program.out().set_format(cli::Format::kJson, false, false);
  return wanted;
}

Status query(cli::Program& program, const Options& options) {
  const auto wanted = wanted_of(program, options);
  std::int64_t found = 0;
  std::deque<std::string> last;  // with --limit: nobody knows before the end which they are
  audit::all_lines(options.file, [&](std::string_view line) {
    if (!wanted.fits(line)) return !interrupt::requested();
    if (options.limit == 0) {
      ++found;
      show(program, options, line);
    } else {
      last.emplace_back(line);
      if (static_cast<std::int64_t>(last.size()) > options.limit) last.pop_front();
    }
    return !interrupt::requested();
  });
  for (const auto& line : last) show(program, options, line);
  program.end().records = found + static_cast<std::int64_t>(last.size());
  return Status::kDone;
}

Status follow(cli::Program& program, const Options& options) {
  const auto wanted = wanted_of(program, options);
  program.out().flow(false);
  std::int64_t found = 0;
  audit::follow(options.file, options.all, [&](std::string_view line) {
    if (!wanted.fits(line)) return;
    ++found;
    show(program, options, line);
    program.out().flush();
  });
  program.end().records = found;
  return Status::kDone;
}

Status tell(cli::Program& program, const Options& options) {
  const auto all = [&](const auto& each) { audit::all_lines(options.file, each); };
  auto steps = audit::story_of(options.id, all);
  if (steps.empty()) {
    if (const auto id = audit::id_that_begins(options.id, all)) steps = audit::story_of(*id, all);
  }
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
  if (options.key.empty())
    throw Error(Status::kUsage, "sign", options.file, "--key is required", "audit key FILE makes a pair");
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
  audit::Options options;
  const auto verbs = audit::declare(program, options);
  return program.run(argc, argv, [&] {
    switch (verbs.given()) {
      case audit::Verb::kAppend:
        return append(program, options);
      case audit::Verb::kVerify:
        return verify(program, options);
      case audit::Verb::kQuery:
        return query(program, options);
      case audit::Verb::kFollow:
        return follow(program, options);
      case audit::Verb::kTrail:
        return tell(program, options);
      case audit::Verb::kRotate:
        return rotate(program, options);
      case audit::Verb::kRedact:
        return redact(program, options);
      case audit::Verb::kCheckpoint:
        return checkpoint(program, options);
      case audit::Verb::kKey:
        return make_key(program, options);
    }
    return Status::kUsage;
  });
}
