// SPDX-License-Identifier: Apache-2.0
#include "audit/verify.h"

#include <algorithm>
#include <charconv>

#include "base/joined.h"

namespace rackline::audit {
namespace {

constexpr std::size_t kRemembered = 4096;  // how far a head may lag behind the trail

std::string number(std::int64_t seq) {
  return std::to_string(seq);
}

}  // namespace

Verifier::Verifier(VerifyOptions options, Report told)
    : options_(std::move(options)), report_(std::move(told)) {
  const Seen nowhere{{}, {}, {}, "kept checkpoints", 0};
  for (const auto& text : options_.checkpoints) {
    const auto at = integer_member(text, "at");
    const auto chain = text_member(text, "chain");
    const auto hash = text_member(text, "head");
    if (at < 0 || hash.empty()) {
      report("signature", -1, -1, nowhere, "it cannot be read");
    } else if (options_.key != nullptr &&
               !options_.key->verify(checkpoint_message(chain, at, hash, text_member(text, "time")),
                                     text_member(text, "signature"))) {
      report("signature", at, at, nowhere, "its signature is not that of the key");
    } else if (options_.chain.empty() || options_.chain == chain) {
      options_.chain = chain;
      outside_[at] = hash;
    } else {
      report("foreign", at, at, nowhere, "it is of chain " + chain + " and not of " + options_.chain);
    }
  }
}

void Verifier::report(const std::string& problem, std::int64_t first, std::int64_t last, const Seen& at,
                      const std::string& why) {
  ++result_.findings;
  signature_found_ = signature_found_ || problem == "signature";
  if (report_) report_({problem, first, last, at.file, at.line, why});
}

void Verifier::begin_file(const std::string& name) {
  file_ = name;
  line_ = 0;
  ++result_.parts;
}

void Verifier::line(std::string_view text) {
  ++line_;
  Seen now{read_line(text, options_.thorough), {}, {}, file_, line_};
  if (now.info.readable && now.info.kind != LineKind::kRecord) now.text = text;
  if (now.info.readable && now.info.redacted) now.redacted = redacted_fields(text);
  if (waiting_) judge(*waiting_, &now);
  waiting_ = std::move(now);
}

void Verifier::unreadable(const std::string& why) {
  report("unreadable", -1, -1, {{}, {}, {}, file_, line_ + 1}, why);
}

void Verifier::torn(std::size_t bytes) {
  torn_ = bytes;
}

// Whether this line stands where the expected one belongs, whatever it says: the next line shows it; the last
// one does when it is no repetition of one before.
bool Verifier::takes_place(const Seen& now, const Seen* next) const {
  if (next != nullptr) {
    return next->info.readable && next->info.seq == expected_ + 1 &&
           (!now.info.readable || next->info.linked_to(now.info.hash) == next->info.hash);
  }
  return now.info.readable && now.info.seq < expected_ && missing_.empty() &&
         std::none_of(tail_.begin(), tail_.end(),
                      [&](const auto& line) { return line.second == now.info.hash; });
}

void Verifier::judge(const Seen& now, const Seen* next) {
  ++result_.lines;
  if (!foreign_.empty() && now.file == foreign_) return;
  const LineInfo& info = now.info;
  if (!any_) {
    any_ = true;
    if (info.readable) {
      expected_ = info.seq;
      // The next line knows its number, too.
      if (next != nullptr && next->info.readable && next->info.linked_to(info.hash) == next->info.hash)
        expected_ = next->info.seq - 1;
      result_.first = expected_;
      if (info.kind != LineKind::kBegin) {
        report("removed", 0, info.seq - 1, now, "the trail does not begin with its beginning");
      }
    }
  }
  const bool begins = info.readable && info.kind == LineKind::kBegin;
  if (begins) begin_part(now);
  if (begins && now.file == foreign_) return;
  if (!info.readable) {
    if (next != nullptr && next->info.readable && next->info.seq == expected_) {
      report("inserted", -1, -1, now,
             "between " + number(expected_ - 1) + " and " + number(expected_) + ": " + info.why);
      return;
    }
    report("changed", expected_, expected_, now, info.why);
    before_.reset();
    computed_.reset();
    ++expected_;
    return;
  }
  if (info.seq == expected_) {
    if (!judge_position(now, next)) return;
  } else if (!judge_loss(now) && !judge_late(now, next)) {
    return;
  }
  accept(now);
}

// The line of somebody who went on without those that were cut off stands right behind the last one that was
// left, and has the number behind the last one that was lost.
bool Verifier::judge_loss(const Seen& now) {
  const LineInfo& info = now.info;
  if (info.kind != LineKind::kTruncated || info.seq <= expected_ || !before_ ||
      info.linked_to(*before_) != info.hash)
    return false;
  report("truncated", expected_, info.seq - 1, now,
         text_member(now.text, "actor") + " has gone on without them at " + text_member(now.text, "time") +
             "; the last one had the hash " + text_member(now.text, "lost_hash"));
  return true;
}

// It has the number that comes next: is it what was written? False: it is to be passed by.
bool Verifier::judge_position(const Seen& now, const Seen* next) {
  const LineInfo& info = now.info;
  if (!before_) {
    computed_.reset();
    return true;  // what was before it is not there: it cannot be told
  }
  const Digest should = info.linked_to(*before_);
  if (should == info.hash || (computed_ && info.linked_to(*computed_) == info.hash)) {
    computed_.reset();
    return true;
  }
  if (next != nullptr && next->info.readable && next->info.seq == expected_ &&
      next->info.linked_to(*before_) == next->info.hash) {
    report("inserted", info.seq, info.seq, now, "the right line of that number follows it");
    return false;
  }
  report("changed", info.seq, info.seq, now, "it does not fit its hash");
  computed_ = should;
  return true;
}

// It has another number than the one that comes next.
bool Verifier::judge_late(const Seen& now, const Seen* next) {
  const LineInfo& info = now.info;
  if (takes_place(now, next)) {
    report("changed", expected_, expected_, now, "its number says " + number(info.seq));
    before_ = info.hash;
    computed_.reset();
    result_.last = expected_;
    last_kind_ = info.kind;
    ++expected_;
    return false;
  }
  if (info.seq > expected_) {
    missing_[expected_] = info.seq - 1;
    before_.reset();
    computed_.reset();
    expected_ = info.seq;
    return true;
  }
  const auto after = missing_.upper_bound(info.seq);
  if (after != missing_.begin()) {
    const auto range = std::prev(after);
    if (info.seq <= range->second) {
      const auto [from, to] = *range;
      missing_.erase(range);
      if (from < info.seq) missing_[from] = info.seq - 1;
      if (info.seq < to) missing_[info.seq + 1] = to;
      report("reordered", info.seq, info.seq, now, "it stands behind " + number(expected_ - 1));
      look_inside(now);
      return false;
    }
  }
  report("duplicated", info.seq, info.seq, now, "it is there a second time, behind " + number(expected_ - 1));
  return false;
}

void Verifier::accept(const Seen& now) {
  before_ = now.info.hash;
  expected_ = now.info.seq + 1;
  last_kind_ = now.info.kind;
  result_.last = now.info.seq;
  if (tail_.size() == 2 * kRemembered) tail_.erase(tail_.begin(), tail_.begin() + kRemembered);
  tail_.emplace_back(now.info.seq, now.info.hash);
  if (!outside_.empty()) {
    const auto kept = outside_.find(now.info.seq);
    if (kept != outside_.end()) {
      if (kept->second != to_hex(bytes_of(now.info.hash))) {
        report("changed", now.info.seq, now.info.seq, now,
               "a kept checkpoint says that another line stood here: the trail was written anew");
      } else if (options_.key != nullptr) {
        result_.signed_to = std::max(result_.signed_to, now.info.seq);
      }
      outside_.erase(kept);
    }
  }
  look_inside(now);
}

void Verifier::look_inside(const Seen& now) {
  if (now.info.redacted) {
    ++result_.redacted;
    auto& open = open_redactions_[now.info.seq];
    open.insert(now.redacted.begin(), now.redacted.end());
  }
  if (now.info.kind == LineKind::kRecord) ++result_.records;
  if (now.info.kind == LineKind::kRepaired) ++result_.repaired;
  if (now.info.kind == LineKind::kCheckpoint) check_checkpoint(now);
  if (now.info.kind == LineKind::kRedacted) note_redaction(now);
}

void Verifier::begin_part(const Seen& now) {
  const std::string chain = text_member(now.text, "chain");
  const std::string& expected = result_.chain.empty() ? options_.chain : result_.chain;
  if (!expected.empty() && chain != expected) {
    report("foreign", now.info.seq, now.info.seq, now, "it is of chain " + chain + " and not of " + expected);
    foreign_ = now.file;
    return;
  }
  const std::int64_t part = integer_member(now.text, "part");
  if (const auto lost = text_member(now.text, "lost_chain"); !lost.empty()) {
    report("removed", 0, integer_member(now.text, "lost_line"), now,
           "chain " + lost + " stood here before and was gone when this one began");
  }
  if (result_.chain.empty()) {
    before_ = from_hex<Digest>(text_member(now.text, "after"));
    if (!before_) report("changed", expected_, expected_, now, "its beginning cannot be read");
    if (!before_ || now.info.linked_to(*before_) != now.info.hash) {
      // It is not what was written, which is told below: its number says nothing.
    } else if (part > options_.from_part) {
      report("removed", options_.from_part == 1 ? 0 : -1, now.info.seq - 1, now,
             "it begins with part " + number(part) + ", and those from " + number(options_.from_part) +
                 " on are not there; if they are kept elsewhere: --from-part " + number(part));
    } else if (part < options_.from_part) {
      report("removed", -1, -1, now, "it goes up to part " + number(part) + " only");
    }
  } else if (part > part_ + 1) {
    report("removed", -1, -1, now, "part " + number(part_ + 1) + " is not there");
  }
  result_.chain = chain;
  part_ = part;
}

void Verifier::check_checkpoint(const Seen& now) {
  ++result_.checkpoints;
  const std::int64_t at = integer_member(now.text, "at");
  const std::string chain = text_member(now.text, "chain"), head = text_member(now.text, "head");
  // That the line itself is whole has been seen; a signer may still have been deceived, or be somebody else.
  if (at != now.info.seq - 1 || chain != result_.chain) {
    report("signature", now.info.seq, now.info.seq, now, "it is a checkpoint of another place");
    return;
  }
  if (options_.key == nullptr) return;
  if (!options_.key->verify(checkpoint_message(chain, at, head, text_member(now.text, "time")),
                            text_member(now.text, "signature"))) {
    report("signature", now.info.seq, now.info.seq, now, "its signature is not that of the key");
    return;
  }
  const auto before =
      std::find_if(tail_.rbegin(), tail_.rend(), [&](const auto& line) { return line.first == at; });
  if (before != tail_.rend() && to_hex(bytes_of(before->second)) != head) {
    report("signature", now.info.seq, now.info.seq, now,
           "another line was signed: the trail was written anew");
    return;
  }
  result_.signed_to = std::max(result_.signed_to, at);
}

// A note closes what was taken out before it stands; what nobody noted is a change like any other.
void Verifier::note_redaction(const Seen& now) {
  const auto open = open_redactions_.find(integer_member(now.text, "line"));
  if (open == open_redactions_.end()) return;
  const auto list = member(now.text, "fields");
  if (!list) return;
  std::erase_if(open->second, [&](const std::string& field) {
    return list->find(json_text(field)) != std::string_view::npos;
  });
  if (open->second.empty()) open_redactions_.erase(open);
}

Verified Verifier::finish(const std::optional<TrailHead>& head) {
  if (waiting_) judge(*waiting_, nullptr);
  waiting_.reset();
  const Seen end{{}, {}, {}, file_, line_};
  for (const auto& [from, to] : missing_) {
    report("removed", from, to, end, from == to ? "it is not there" : "they are not there");
  }
  for (const auto& [seq, fields] : open_redactions_) {
    report("redacted", seq, seq, end, joined(fields) + " was taken out, and no line says by whom and why");
  }
  if (torn_ > 0) {
    report("torn", expected_, expected_, {{}, {}, {}, file_, line_ + 1},
           number(static_cast<std::int64_t>(torn_)) + " bytes of a line that was not written to its end");
  }
  bool lost_checkpoint = false;
  for (const auto& [at, hash] : outside_) {
    if (at < result_.first) continue;  // of what is elsewhere, or whose absence was told
    lost_checkpoint = true;
    report("truncated", std::max<std::int64_t>(result_.last + 1, 0), at, end,
           "a kept checkpoint knows line " + number(at) + ", and the trail does not reach it");
  }
  const bool closed = last_kind_ != LineKind::kRecord;
  if (head && (result_.chain.empty() || head->chain == result_.chain)) {
    const auto line = std::find_if(tail_.rbegin(), tail_.rend(),
                                   [&](const auto& known) { return known.first == head->seq; });
    if (head->seq > result_.last) {
      if (outside_.empty())
        report("truncated", result_.last + 1, head->seq, end,
               "the trail once went on to line " + number(head->seq));
    } else if (line != tail_.rend() && line->second != head->hash) {
      report("changed", head->seq, head->seq, end,
             "its writer remembers another line: the trail was written anew");
    }
  } else if (head) {
    report("foreign", -1, -1, end,
           "chain " + head->chain + " is what was written here, and this is chain " + result_.chain);
  } else if (any_ && !closed && torn_ == 0) {
    report("truncated", result_.last + 1, -1, end,
           "no writer has closed it, and there is nothing beside it that tells its end: lines may have been "
           "cut off");
  }
  if (!any_) report("truncated", -1, -1, end, "there is no line");
  if (any_ && options_.key != nullptr && result_.signed_to < 0 && !signature_found_ && !lost_checkpoint)
    report("signature", -1, -1, end, "nothing is signed: no checkpoint of the key is there");
  if (before_) result_.hash = to_hex(bytes_of(*before_));
  return result_;
}

}  // namespace rackline::audit
