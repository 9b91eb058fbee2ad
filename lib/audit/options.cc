// SPDX-License-Identifier: Apache-2.0
#include "audit/options.h"

#include "audit/commands.h"

namespace rackline::audit {
namespace {

// When writing they stand in the lines, when reading they say which lines are wanted.
void declare_who(cli::Options at, Query& who) {
  at.text("--actor", who.actor, "who did it; when writing, by default who runs this", "NAME");
  at.text("--host", who.host, "on which machine; when writing, by default this one", "NAME");
  at.text("--request", who.request, "what it was done for: a ticket, a job", "WORDS");
  at.text("--cause", who.cause, "the incident; when writing, of records that name none", "ID");
}

// The options that query and follow share.
void declare_query(cli::Options at, Options& options) {
  auto& wanted = options.query;
  at.text("--since", options.since,
          "not before: 2h ago, 21:00 today, \"2026-11-22 08:00\" in local time, 2026-11-22T12:00:00Z",
          "TIME");
  at.text("--until", options.until, "not after", "TIME");
  at.text("--kind", wanted.kind, "kind of the record", "KIND");
  at.text("--object", wanted.object, "a host, virtual server or anything else that the record names", "NAME");
  at.text("--outcome", wanted.outcome,
          "its outcome: done, failed, refused, whether a field says so or its kind", "WORD");
  at.texts("--field", options.fields, "a field of the record: owner=web", "NAME=VALUE");
  at.flag("--records", options.records, "what passed, without what the trail has put around it");
}

void declare_append(cli::Options at, cli::Program& program, Options& options) {
  auto appending =
      at.command("append", "pass records on, and keep each", [&] { return append(program, options); });
  appending
      .choice("--durable", options.durable, {"behind", "before"},
              "whether records reach the disk right behind their passing on, or before it")
      .shows_default();
  appending.duration("--checkpoint", options.checkpoint_every,
                     "with --key: sign after so long, and at the end; 0: at the end");
  appending.flag("--accept-loss", options.accept_loss,
                 "go on where lines are missing at the end, and keep in the trail that they are");
}

void declare_readers(cli::Options at, cli::Program& program, Options& options) {
  auto verifying = at.command("verify", "find what was changed, removed, moved, added or cut off",
                              [&] { return verify(program, options); });
  verifying.text("--checkpoints", options.checkpoints, "checkpoints kept elsewhere", "FILE")
      .offers(cli::Values::kFiles);
  verifying.number("--from-part", options.verify.from_part,
                   "the parts before it are kept elsewhere: begin with it", cli::kAboveZero);
  verifying.text("--chain", options.verify.chain, "the chain that it has to be", "ID");
  verifying.flag("--thorough", options.verify.thorough, "also what only redaction needs");
  auto querying = at.command("query", "the lines that are wanted", [&] { return query(program, options); });
  declare_query(querying, options);
  querying.number("--limit", options.limit, "only the last ones", cli::kAboveZero);
  auto following = at.command("follow", "the lines that are wanted, as they come",
                              [&] { return follow(program, options); });
  declare_query(following, options);
  following.flag("--all", options.all, "first those that are there");
  at.command("trail", "one incident as a story", [&] { return tell(program, options); })
      .operand("ID", options.id, "id or cause of any record of it, or its first 6 digits or more")
      .required();
}

void declare_upkeep(cli::Options at, cli::Program& program, Options& options) {
  auto rotating = at.command("rotate", "begin a new part, compress the full one",
                             [&] { return rotate(program, options); });
  rotating.bytes("--larger", options.larger, "only when the trail has at least this size");
  rotating.flag("--plain", options.plain, "do not compress it");
  auto redacting = at.command("redact", "take fields out of lines; the trail can still be verified",
                              [&] { return redact(program, options); });
  redacting.numbers("--line", options.redaction.lines, "number of a line, as in seq", cli::kFromZero)
      .required();
  redacting.texts("--field", options.redaction.fields, "actor, or record.NAME of the record", "NAME")
      .required();
  redacting.text("--reason", options.redaction.reason, "why; it stands in the trail", "WORDS").required();
}

}  // namespace

void declare(cli::Program& program, Options& options) {
  auto& at = program.options();
  at.text("--file", options.file, "the trail", "FILE")
      .from("RACKLINE_AUDIT")
      .shows_default()
      .offers(cli::Values::kFiles);
  at.text("--key", options.key, "Ed25519 key: the private one signs, the public one verifies", "FILE")
      .offers(cli::Values::kFiles);
  declare_who(at, options.query);
  declare_append(at, program, options);
  declare_readers(at, program, options);
  declare_upkeep(at, program, options);
  at.command("checkpoint", "sign all that is there, and print what to keep elsewhere",
             [&] { return checkpoint(program, options); });
  at.command("key", "make a pair of keys: FILE and FILE.pub", [&] { return make_key(program, options); })
      .operand("FILE", options.new_key, "the new private key")
      .required()
      .offers(cli::Values::kFiles);
}

}  // namespace rackline::audit
