// SPDX-License-Identifier: Apache-2.0
// Whatever bytes come in: the reader reads them in bounded memory, reports what it cannot read, and what it
// can read survives being written and read again.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <tuple>

#include "base/error.h"
#include "base/fd.h"
#include "record/kinds.h"
#include "record/kinds_capacity.h"
#include "record/kinds_inventory.h"
#include "record/kinds_migration.h"
#include "record/kinds_planning.h"
#include "record/kinds_stream.h"
#include "record/reader.h"
#include "record/writer.h"

namespace {

using namespace rackline;
using namespace rackline::record;

Fd file_of(std::string_view bytes) {
  Fd file(memfd_create("fuzz", MFD_CLOEXEC));
  if (!file || write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

void require(bool holds) {
  if (!holds) std::abort();
}

// What was read is written to `lines`.
template <class K>
void check(Reader& reader, std::string& lines) {
  if (!reader.is<K>()) return;
  K record;
  const bool readable = reader.read(record);
  // Checking without keeping comes to the same answer.
  require(reader.decode(K::kKind, nullptr) == readable);
  if (!readable) return;
  static_cast<void>(to_cells(K::kKind, &record, true));
  lines += to_line(record) + "\n";
}

using AllKinds =
    std::tuple<Host, PlacementRule, VmRequest, HostSample, VmSample, VmMove, VmPlace, VmUnplaced,
               NoBeneficialMove, BalanceCheck, VmMoved, HostUsage, VmUsage, Fluctuation, Progress, RoundEnd>;

template <class... K>
void check_all(Reader& reader, std::string& lines, const std::tuple<K...>*) {
  (check<K>(reader, lines), ...);
}

// The lines that the programs would write for what they have read in `bytes`.
std::string rewritten(std::string_view bytes) {
  std::string lines;
  const Fd file = file_of(bytes);
  std::int64_t reported = 0;
  Reader reader(file.get(), "fuzz", Policy::kSkip, [&](const Problem& problem) {
    ++reported;
    require(problem.line >= 1 && !problem.why.empty());
  });
  while (reader.next()) check_all(reader, lines, static_cast<const AllKinds*>(nullptr));
  require(reported == reader.skipped());
  if (reader.complete()) require(reader.end().has_value());
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string lines = rewritten(bytes);
  require(rewritten(lines) == lines);
  // The strict reader hands out a prefix of what the lenient one does, and then throws.
  const Fd file = file_of(bytes);
  Reader strict(file.get(), "fuzz", Policy::kRefuse, {});
  try {
    while (strict.next()) {
      if (const Kind* kind = find_kind(strict.kind())) strict.decode(*kind, nullptr);
    }
  } catch (const Error& error) {
    require(error.status() == Status::kUsage);
  }
  return 0;
}
