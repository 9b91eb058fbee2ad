// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/line.h"
#include "audit/sign.h"

namespace rackline::audit {

// What is wrong with a trail.
struct Finding {
  // changed, removed, duplicated, reordered, inserted, torn, truncated, foreign, signature, redacted,
  // unreadable
  std::string problem;
  std::int64_t first = -1, last = -1;  // numbers of the lines that it is about; -1: not known
  std::string file;                    // where it was seen
  std::int64_t line = 0;               // the line of that file, from 1
  std::string why;
};

struct Verified {
  std::string chain;
  std::int64_t first = -1, last = -1;  // numbers of the first and of the last line
  std::string hash;                    // of the last line
  std::int64_t records = 0, lines = 0, parts = 0, findings = 0;
  std::int64_t redacted = 0;  // lines of which fields were taken out in order
  std::int64_t repaired = 0;  // torn last lines that a writer has put in order
  std::int64_t checkpoints = 0;
  std::int64_t signed_to = -1;  // the last line that a good signature covers; -1: none, or no key was given
};

struct VerifyOptions {
  const PublicKey* key = nullptr;             // checks the checkpoints' signatures
  std::vector<std::string> checkpoints = {};  // audit_checkpoint lines that were kept elsewhere
  std::string chain = {};                     // the chain that it has to be; empty: any
  std::int64_t from_part = 1;                 // those before it are elsewhere, and are not asked for
  bool thorough = false;                      // also whether each root fits its fields
};

// Where the writers of a trail say that it ends, kept beside it: a trail of which lines were cut off at the
// end is sound in itself.
struct TrailHead {
  std::string chain;
  std::int64_t seq = 0;
  Digest hash{};
  std::string boot = {};  // of the machine, when it was written; empty: not known
};

// Checks the lines of a trail in their order. It needs to remember only what is out of order, so its memory
// does not grow with the trail.
//
// A line's hash covers the one before it, so one that was changed would make all that follow look wrong too.
// To name the right ones, each line is compared with the hash that stands in the line before it, true or
// not, and where something is wrong the next line is looked at as well.
class Verifier {
 public:
  using Report = std::function<void(const Finding&)>;
  Verifier(VerifyOptions options, Report report);

  // The following lines are of this file.
  void begin_file(const std::string& name);
  void line(std::string_view text);  // without its end
  // The rest of the file cannot be read: what it holds is lost, and what follows is looked at all the same.
  void unreadable(const std::string& why);
  // What stands behind the last line's end.
  void torn(std::size_t bytes);
  // No more lines come. `head`: if there is one; nothing otherwise.
  Verified finish(const std::optional<TrailHead>& head);

 private:
  struct Seen {
    LineInfo info;
    std::string text;  // of lines other than records
    std::vector<std::string> redacted;
    std::string file;
    std::int64_t line = 0;
  };

  void judge(const Seen& now, const Seen* next);
  bool judge_position(const Seen& now, const Seen* next);
  bool judge_late(const Seen& now, const Seen* next);
  bool judge_loss(const Seen& now);
  void accept(const Seen& now);
  void look_inside(const Seen& now);
  void begin_part(const Seen& now);
  void check_checkpoint(const Seen& now);
  void note_redaction(const Seen& now);
  void report(const std::string& problem, std::int64_t first, std::int64_t last, const Seen& at,
              const std::string& why);
  bool takes_place(const Seen& now, const Seen* next) const;

  VerifyOptions options_;
  Report report_;
  Verified result_;
  std::string file_;
  std::int64_t line_ = 0;
  std::optional<Seen> waiting_;
  bool any_ = false;
  std::string foreign_;  // a file of another chain: what else it holds is not looked at
  std::int64_t expected_ = 0;
  std::optional<Digest> before_;    // the hash in the line before; nothing: not known
  std::optional<Digest> computed_;  // what it ought to have been, when it was wrong
  LineKind last_kind_ = LineKind::kClose;
  std::int64_t part_ = 0;
  std::map<std::int64_t, std::int64_t> missing_;  // from, to
  std::map<std::int64_t, std::set<std::string>> open_redactions_;
  std::map<std::int64_t, std::string> outside_;        // where kept checkpoints say which hash stands
  std::vector<std::pair<std::int64_t, Digest>> tail_;  // of the last lines
  std::size_t torn_ = 0;
  bool signature_found_ = false;
};

}  // namespace rackline::audit
