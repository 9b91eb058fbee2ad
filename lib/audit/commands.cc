// SPDX-License-Identifier: Apache-2.0
#include "audit/commands.h"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <deque>

#include "audit/check.h"
#include "audit/follow.h"
#include "audit/records.h"
#include "audit/sign.h"
#include "audit/story.h"
#include "audit/tee.h"
#include "base/interrupt.h"
#include "base/person.h"

namespace rackline::audit {
namespace {

Trail trail_of(cli::Program& program, const Options& options) {
  const auto given = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
  };
  const auto& who = options.query;
  Author author{who.actor.empty() ? this_person() : who.actor, who.host.empty() ? this_machine() : who.host,
                given(who.request), given(who.cause)};
  return {options.file, std::move(author), program.clock(),
          [&](const std::string& text) { program.warn(text); }};
}

std::string what_was_broken(const TeeCounts& counts) {
  std::string lines;
  for (const auto number : counts.first_broken) lines += (lines.empty() ? "" : ", ") + std::to_string(number);
  if (counts.broken == 1) return "line " + lines + " was no record; it is kept as text";
  const bool more = counts.broken > static_cast<std::int64_t>(counts.first_broken.size());
  return std::to_string(counts.broken) + " lines were no records (" + (more ? "the first are " : "") + lines +
         "); they are kept as text";
}

// A line of the trail as it stands, so that it can be checked again; what passed, as it passed; or, for
// people, a step of a story.
void show(cli::Program& program, const Options& options, std::string_view line) {
  if (options.records) {
    if (const auto record = record_in(line); !record.empty()) program.out().pass(record);
  } else if (program.out().format() == cli::Format::kJson) {
    program.out().pass(line);
  } else {
    program.out().write(step_of(line));
  }
}

Query wanted_of(cli::Program& program, const Options& options) {
  auto wanted = options.query;
  const auto now = program.clock().wall();
  const auto when = [&](const std::string& text) {
    std::string doubt;
    const auto time = parse_when(text, now, &doubt);
    if (!doubt.empty()) program.warn("read time: " + doubt);
    return time;
  };
  if (!options.since.empty()) wanted.since = when(options.since);
  if (!options.until.empty()) wanted.until = when(options.until);
  for (const auto& field : options.fields) wanted.fields.push_back(parse_field(field));
  // What passed are JSON lines, and so is the end behind them.
  if (options.records) program.out().set_format(cli::Format::kJson, false, false);
  return wanted;
}

// Only append begins a trail: elsewhere a name that was mistyped would make one.
std::int64_t require_trail(const Options& options) {
  struct stat about = {};
  if (stat(options.file.c_str(), &about) != 0)
    throw system_error(Status::kUsage, "open the trail", options.file);
  return about.st_size;
}

}  // namespace

Status append(cli::Program& program, const Options& options) {
  program.describes_itself();  // stdout is what came in, with the `end` record that was in it
  if (isatty(STDIN_FILENO) == 1)
    throw Error(Status::kUsage, "read records", "stdin", "it is a terminal", "pipe records in");
  auto trail = trail_of(program, options);
  std::optional<PrivateKey> key;
  if (!options.key.empty()) key = PrivateKey::load(options.key);
  trail.open(options.accept_loss);
  const TeeOptions how{
      options.durable == "before" ? TeeOptions::Durable::kBefore : TeeOptions::Durable::kBehind,
      key ? &*key : nullptr, options.checkpoint_every};
  const auto counts = tee(STDIN_FILENO, STDOUT_FILENO, trail, program.clock(), how);
  if (counts.reader_gone) interrupt::request(SIGPIPE);
  if (counts.broken > 0) {
    program.warn("keep records: stdin: " + what_was_broken(counts));
    return Status::kUsage;
  }
  return Status::kDone;
}

Status verify(cli::Program& program, Options& options) {
  std::optional<PublicKey> key;
  if (!options.key.empty()) key = PublicKey::load(options.key);
  options.verify.key = key ? &*key : nullptr;
  if (!options.checkpoints.empty()) options.verify.checkpoints = read_checkpoints(options.checkpoints);
  const auto result = check_trail(options.file, options.verify,
                                  [&](const Finding& finding) { program.out().write(record_of(finding)); });
  if (interrupt::requested()) return Status::kNo;
  program.out().write(record_of(result, key.has_value()));
  program.summary<record::ReadSummary>().records = result.records;
  return result.findings == 0 ? Status::kDone : Status::kNo;
}

Status query(cli::Program& program, const Options& options) {
  const auto wanted = wanted_of(program, options);
  std::int64_t found = 0;
  std::deque<std::string> last;  // with --limit: nobody knows before the end which they are
  all_lines(options.file, [&](std::string_view line) {
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
  program.summary<record::ReadSummary>().records = found + static_cast<std::int64_t>(last.size());
  return Status::kDone;
}

Status follow(cli::Program& program, const Options& options) {
  const auto wanted = wanted_of(program, options);
  program.out().flow(false);
  std::int64_t found = 0;
  follow(options.file, options.all, [&](std::string_view line) {
    if (!wanted.fits(line)) return;
    ++found;
    show(program, options, line);
    program.out().flush();
  });
  program.summary<record::ReadSummary>().records = found;
  return Status::kDone;
}

Status tell(cli::Program& program, const Options& options) {
  const auto all = [&](const auto& each) { all_lines(options.file, each); };
  auto steps = story_of(options.id, all);
  if (steps.empty()) {
    if (const auto id = id_that_begins(options.id, all)) steps = story_of(*id, all);
  }
  for (const auto& step : steps) program.out().write(step);
  program.summary<record::ReadSummary>().records = static_cast<std::int64_t>(steps.size());
  if (!steps.empty()) return Status::kDone;
  program.warn("tell: " + options.id + ": nothing in the trail has this id or cause");
  return Status::kNo;
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
  const auto key = PrivateKey::load(options.key);
  program
      .describes_itself();  // what is printed is to be kept: a file of checkpoints, and nothing between them
  program.out().pass(trail_of(program, options).checkpoint(key));
  return Status::kDone;
}

Status make_key(cli::Program& program, const Options& options) {
  program.describes_itself();
  const auto made = PrivateKey::make(options.new_key);
  program.note("key " + made.id() + ": " + options.new_key + " signs, " + options.new_key + ".pub verifies");
  return Status::kDone;
}

}  // namespace rackline::audit
