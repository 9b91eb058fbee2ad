// SPDX-License-Identifier: Apache-2.0
// rackline-records: the record kinds as a JSON schema, as a manual page or as a list, and the check of a
// stream.
#include <iostream>

#include "base/interrupt.h"
#include "cli/program.h"
#include "record/kinds.h"
#include "record/reference.h"

namespace rackline {
namespace {

// Every line against its kind: what cannot be read is reported as a message, line by line.
Status check(cli::Program& program, const std::string& file) {
  const auto reader = program.file_reader(file, record::Policy::kSkip);
  const record::Kind unknown{
      .name = {}, .role = record::Role::kFact, .text = {}, .written_by = {}, .read_by = {}, .fields = {}};
  while (reader->next()) {
    if (const auto* kind = record::find_kind(reader->kind()); kind != nullptr) {
      reader->decode(*kind, nullptr);
    } else if (reader->decode(unknown, nullptr)) {
      program.note("read records: " + file + ": line " + std::to_string(reader->line()) +
                   ": unknown kind \"" + std::string(reader->kind()) + "\"");
    }
  }
  program.summary<record::ReadSummary>().records = reader->records();
  if (interrupt::requested()) return Status::kNo;
  if (!reader->complete())
    program.warn("check the stream: no end record: its producer died, or it was cut off");
  return reader->skipped() == 0 && reader->complete() ? Status::kDone : Status::kNo;
}

}  // namespace
}  // namespace rackline

int main(int argc, char** argv) {
  using namespace rackline;
  cli::Program program({.name = "rackline-records",
                        .nature = cli::Nature::kFilter,
                        .summary = "describe and check the records that the programs exchange",
                        .description = "Without an option it lists the kinds.",
                        .examples = {{"capwatch | rackline-records --check",
                                      "check every line of a stream; exit 1 if one is broken"},
                                     {"rackline-records --schema vm_move", "JSON Schema of one kind"}}});
  std::string file = "-";
  std::string kind;
  bool checks = false;
  bool prints_manual = false;
  auto& options = program.options();
  auto checking = options.flag("--check", checks,
                               "check the stream on stdin, or in FILE; exit 1 if it is broken or cut off");
  auto schema = options.text("--schema", kind, "print the JSON Schema of KIND, or of all kinds", "KIND")
                    .may_lack_value();
  std::vector<std::string> kinds;
  for (const auto* each : record::kinds()) kinds.emplace_back(each->name);
  schema.offers(std::move(kinds));
  const auto manual = options.flag("--manual", prints_manual, "print rackline-records(5) in mdoc");
  checking.excludes({schema, manual});
  schema.excludes({manual});
  options.operand("FILE", file, "stream to check; - is stdin").offers(cli::Values::kFiles);

  return program.run(argc, argv, [&] {
    if (checks) return check(program, file);
    program.describes_itself();
    if (schema.given()) {
      std::cout << record::schema(kind);
    } else if (prints_manual) {
      std::cout << record::manual();
    } else {
      std::cout << record::overview();
    }
    if (!std::cout.flush()) throw system_error(Status::kUnreachable, "write", "stdout");
    return Status::kDone;
  });
}
