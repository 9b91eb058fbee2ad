// SPDX-License-Identifier: Apache-2.0
#include "audit/trail.h"

#include <fcntl.h>
#include <simdjson.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "audit/parts.h"
#include "audit/trail_end.h"
#include "audit/trail_turn.h"
#include "base/error.h"
#include "base/own_file.h"

namespace rackline::audit {
namespace {

constexpr const char* kAttempted = "write the trail";

bool is_record(simdjson::dom::parser& parser, std::string_view line) {
  simdjson::dom::element document;
  if (parser.parse(line.data(), line.size()).get(document) != simdjson::SUCCESS) return false;
  simdjson::dom::object object;
  return document.get(object) == simdjson::SUCCESS && object.size() > 0;
}

// As the members are written, without the blanks between them.
std::string compact(const std::vector<Member>& members) {
  std::string text = "{";
  for (const auto& [name, value] : members) {
    if (text.size() > 1) text += ',';
    text += '"';
    text += name;
    text += "\":";
    text += value;
  }
  return text += '}';
}

std::string or_null(const std::optional<std::string>& text) {
  return text ? json_text(*text) : "null";
}

// Another one after each start of the machine; empty where the kernel does not tell.
const std::string& boot_id() {
  static const std::string id = [] {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string text;
    std::getline(file, text);
    return text;
  }();
  return id;
}

}  // namespace

Trail::Trail(const std::string& path, Author author, const Clock& clock, Notice notice)
    : path_(path), author_(std::move(author)), clock_(clock), notice_(std::move(notice)) {
  require_own_file("open the trail", path);             // @rule 16-trail-of-somebody-else
  path_ = real_file(path);                              // @rule 16-trail-through-a-link
  require_own_file("open the trail", path_ + ".head");  // @rule 16-trail-of-somebody-else
}

std::string Trail::who() const {
  return "\"actor\":" + json_text(author_.actor) + ",\"host\":" + json_text(author_.host);
}

void Trail::add_line(std::string& out, State& state, LineKind kind, const std::string& body) const {
  append_line(out, {kind, clock_.wall(), state.seq, body}, random_salt(), state.before);
  ++state.seq;
  state.last = kind;
}

std::string Trail::begin_line(const State& after, std::int64_t part, const std::string& more,
                              State& state) const {
  state = after;
  state.part = part;
  state.size = 0;
  std::string out;
  add_line(out, state, LineKind::kBegin,
           "\"chain\":\"" + state.chain + "\",\"part\":" + std::to_string(part) + ",\"after\":\"" +
               to_hex(bytes_of(after.before)) + "\"," + who() + more);
  return out;
}

void Trail::write(const std::string& text, const State& next) {
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t written = ::write(fd_->get(), left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EINTR) continue;
    const Error error = system_error(Status::kUnreachable, kAttempted, path_);
    if (ftruncate(fd_->get(), state_.size) != 0) known_ = false;  // the next one repairs it
    throw error;
  }
  const std::int64_t size = state_.size + static_cast<std::int64_t>(text.size());
  state_ = next;
  state_.size = size;
  known_ = true;
  write_head();
}

// After the line and never before it, so that a writer that dies leaves it behind. It is not made durable; a
// power cut between its way to the disk and the line's leaves it before. So it tells the boot that it is of.
void Trail::write_head() {
  if (!head_) {
    head_ = Fd(::open((path_ + ".head").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!head_) throw system_error(Status::kUnreachable, kAttempted, path_ + ".head");
  }
  std::string text = "{\"chain\":\"" + state_.chain + "\",\"seq\":" + std::to_string(state_.seq - 1) +
                     ",\"hash\":\"" + to_hex(bytes_of(state_.before)) + "\",\"boot\":\"" + boot_id() + "\"}";
  constexpr std::size_t kRoom = 240;
  if (text.size() < kRoom) text.resize(kRoom, ' ');
  text += '\n';
  // The trail itself is whole; a head that cannot be written now is written with the next line.
  if (pwrite(head_.get(), text.data(), text.size(), 0) < 0 && errno != ENOSPC)
    throw system_error(Status::kUnreachable, kAttempted, path_ + ".head");
}

void Trail::begin_chain() {
  State fresh;
  fresh.chain = to_hex(bytes_of(random_salt()));
  State begun;
  // A trail that somebody took away is no reason to stop the work that is to be watched; that it was is told
  // to whoever runs this, and stands at the beginning of the new one for good.
  std::string lost;
  if (const auto head = read_head(path_); head) {
    lost = ",\"lost_chain\":" + json_text(head->chain) + ",\"lost_line\":" + std::to_string(head->seq);
    if (notice_) {
      notice_(path_ + ": the trail of chain " + head->chain + " that went to line " +
              std::to_string(head->seq) + " is gone; a new one begins");
    }
  }
  const std::string line = begin_line(fresh, 1, lost, begun);
  state_.size = 0;
  write(line, begun);
  sync_file();
  sync_directory_of(path_);
}

// The chain and the part stand in the first line.
void Trail::read_first_line(const std::optional<TrailHead>& head) {
  std::string text;
  read_lines({path_, 0, false},
             [&](std::string_view line) {
               text = line;
               return false;
             },
             {});
  const LineInfo info = read_line(text);
  if (!info.readable || info.kind != LineKind::kBegin) {
    throw Error(Status::kRefused, "open the trail", path_, "it is not an audit trail",
                "its first line is none that audit writes");
  }
  state_.chain = text_member(text, "chain");
  state_.part = integer_member(text, "part");
  // A writer that died when it had begun a new chain leaves the head of the one before, which the line names.
  if (head && head->chain != state_.chain && head->chain != text_member(text, "lost_chain")) {
    throw Error(Status::kRefused, "open the trail", path_,
                "it is of chain " + state_.chain + ", and what was written here was chain " + head->chain,
                "if that is meant, take " + path_ + ".head away");
  }
}

void Trail::load() {
  struct stat about = {};
  if (fstat(fd_->get(), &about) != 0) throw system_error(Status::kUnreachable, "read the trail", path_);
  // Another has written: the beginning is as it was, as long as it is the same file.
  const bool same = known_ && about.st_size > state_.size;
  if (!same) state_ = State{};
  state_.size = about.st_size;
  known_ = false;
  if (about.st_size == 0) {
    begin_chain();
    return;
  }
  const TrailEnd end = read_end(fd_->get(), about.st_size, path_);
  if (!end.any) {
    // Not one whole line: the very first was cut off, or it is something else.
    if (!end.torn.starts_with("{\"kind\":\"audit_begin\""))
      throw Error(Status::kRefused, "open the trail", path_, "it is not an audit trail",
                  "its first line is none that audit writes");
    if (ftruncate(fd_->get(), 0) != 0) throw system_error(Status::kUnreachable, kAttempted, path_);
    if (notice_) notice_(path_ + ": its first line was torn; the trail begins anew");
    state_.size = 0;
    begin_chain();
    return;
  }
  auto head = read_head(path_);
  if (!same) read_first_line(head);
  if (head && head->chain != state_.chain) head.reset();
  const LineInfo info = check_last(end, head, path_);
  state_.seq = info.seq + 1;
  state_.before = info.hash;
  state_.last = info.kind;
  if (const auto loss = loss_of(info, head)) {
    // After a restart of the machine a few lines may be missing by nobody's fault, and who watches the night
    // must not stand still for that: it is told, and stands in the trail for good.
    const bool restarted = !head->boot.empty() && head->boot != boot_id();
    if (!accepts_loss_ && !restarted) refuse(*loss, !end.torn.empty(), path_);
    go_on_without(*loss, end.torn);
    return;
  }
  known_ = true;
  if (!end.torn.empty()) repair(end.torn);
}

void Trail::take_away(std::size_t torn) {
  const std::int64_t whole = state_.size - static_cast<std::int64_t>(torn);
  if (ftruncate(fd_->get(), whole) != 0) throw system_error(Status::kUnreachable, kAttempted, path_);
  state_.size = whole;
}

// The numbers of what is missing are not given again: its place stays empty for everybody who reads on.
void Trail::go_on_without(const Loss& loss, const std::string& torn) {
  take_away(torn.size());
  State next = state_;
  next.seq = loss.last + 1;
  std::string out;
  add_line(out, next, LineKind::kTruncated,
           "\"lost\":" + std::to_string(loss.count()) + ",\"lost_from\":" + std::to_string(loss.first) +
               ",\"lost_to\":" + std::to_string(loss.last) + ",\"lost_hash\":\"" +
               to_hex(bytes_of(loss.hash)) + (torn.empty() ? "\"," : "\",\"torn\":" + json_text(torn) + ",") +
               who());
  write(out, next);
  sync_file();
  if (notice_) {
    notice_(path_ + ": " + std::to_string(loss.count()) + " lines are missing before line " +
            std::to_string(state_.seq - 1) + ", which says so");
  }
}

// A line that was not written to its end: nobody was told that it is in the trail. What there is of it is
// kept as text, since a trail forgets nothing.
void Trail::repair(const std::string& torn) {
  take_away(torn.size());
  State next = state_;
  std::string out;
  add_line(out, next, LineKind::kRepaired,
           "\"bytes\":" + std::to_string(torn.size()) + ",\"torn\":" + json_text(torn) + "," + who());
  write(out, next);
  sync_file();
  if (notice_) {
    notice_(path_ + ": its last line was torn, " + std::to_string(torn.size()) +
            " bytes; they are kept in line " + std::to_string(state_.seq - 1));
  }
}

std::int64_t Trail::open(bool accept_loss) {
  accepts_loss_ = accept_loss;
  const Turn turn(*this);
  accepts_loss_ = false;  // what is cut off while it is open is another loss
  return state_.seq - 1;
}

std::vector<std::size_t> Trail::append(const std::vector<std::string_view>& lines) {
  static thread_local simdjson::dom::parser parser;
  const Turn turn(*this);
  State next = state_;
  std::string out, body;
  std::vector<std::size_t> broken;
  const std::string before = who() + ",\"request\":" + or_null(author_.request) + ",\"cause\":";
  const std::string cause = or_null(author_.cause);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto line = lines[i];
    body = before;
    const auto members = is_record(parser, line) ? members_of(line) : std::nullopt;
    if (members) {
      const auto own = std::find_if(members->begin(), members->end(),
                                    [](const Member& m) { return plain_name(m.name) == "cause"; });
      body += own != members->end() && own->value.starts_with('"') ? own->value : std::string_view(cause);
      body += ",\"record\":";
      body += compact(*members);
    } else {
      broken.push_back(i);
      body += cause + ",\"line\":" + json_text(line);
    }
    add_line(out, next, LineKind::kRecord, body);
  }
  write(out, next);
  written_ += static_cast<std::int64_t>(lines.size());
  return broken;
}

void Trail::sync() {
  std::shared_ptr<Fd> fd;
  {
    const std::lock_guard guard(swap_);
    fd = fd_;
  }
  if (fd && fdatasync(fd->get()) != 0) throw system_error(Status::kUnreachable, kAttempted, path_);
}

void Trail::sync_file() {
  if (fsync(fd_->get()) != 0) throw system_error(Status::kUnreachable, kAttempted, path_);
}

void Trail::close() {
  if (written_ == 0) return;
  {
    const Turn turn(*this);
    State next = state_;
    std::string out;
    add_line(out, next, LineKind::kClose, "\"records\":" + std::to_string(written_) + "," + who());
    write(out, next);
  }
  written_ = 0;
  sync();
}

std::string Trail::checkpoint(const PrivateKey& key) {
  const Turn turn(*this);
  State next = state_;
  const std::int64_t at = state_.seq - 1;
  const std::string hash = to_hex(bytes_of(state_.before));
  const auto now = clock_.wall();  // signed, and the time of the line
  std::string out;
  const std::string signature = key.sign(checkpoint_message(state_.chain, at, hash, format_time(now)));
  append_line(
      out,
      {LineKind::kCheckpoint, now, next.seq,
       "\"chain\":\"" + state_.chain + "\",\"at\":" + std::to_string(at) + ",\"head\":\"" + hash +
           "\",\"key\":\"" + key.public_key().id() + "\",\"signature\":\"" + signature + "\"," + who()},
      random_salt(), next.before);
  ++next.seq;
  next.last = LineKind::kCheckpoint;
  write(out, next);
  sync_file();
  out.pop_back();
  return out;
}

}  // namespace rackline::audit
