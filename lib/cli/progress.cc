// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "base/printable.h"
#include "base/units.h"

namespace rackline::cli {
namespace {

constexpr Milliseconds kRedraw{100};
constexpr Milliseconds kSparse{5000};

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

// stderr of a person at a terminal: that a bar cannot be drawn is no reason to stop working.
void put(const std::string& text) {
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;
}

}  // namespace

std::string progress_line(const record::Progress& progress, std::size_t columns) {
  constexpr std::size_t kBar = 24;
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), "%-16.32s", printable(progress.object).c_str());
  std::string line = text.data();
  if (progress.percent) {
    const double share = std::clamp(*progress.percent / 100, 0.0, 1.0);
    const auto full = static_cast<std::size_t>(std::lround(share * kBar));
    std::string bar(full, '=');
    if (full > 0 && full < kBar) bar.back() = '>';
    bar.resize(kBar, ' ');
    std::snprintf(text.data(), text.size(), " [%s] %3.0f%%", bar.c_str(), share * 100);
    line += text.data();
  }
  if (progress.bytes_per_second) line += "  " + format_bytes(*progress.bytes_per_second) + "/s";
  if (progress.remaining_bytes) line += "  " + format_bytes(*progress.remaining_bytes) + " left";
  if (progress.eta_ms) line += "  ETA " + format_duration(Milliseconds{*progress.eta_ms});
  if (progress.state) line += "  " + printable(*progress.state);
  if (line.size() > columns) line.resize(columns);
  return line;
}

void ProgressView::update(const record::Progress& progress) {
  if (mode_ == Mode::kNone) return;
  const std::lock_guard lock(mutex_);
  const std::string& key = progress.id ? *progress.id : progress.object;
  auto [entry, added] = seen_.try_emplace(key);
  if (added) order_.push_back(key);
  Seen& seen = entry->second;
  seen.latest = progress;
  const auto now = clock_.monotonic();
  const bool changed = seen.state != progress.state.value_or("");
  if (mode_ == Mode::kJson) {
    if (!changed && now - seen.written < kSparse) return;
    seen.state = progress.state.value_or("");
    seen.written = now;
    out_.write(progress);
    return;
  }
  seen.state = progress.state.value_or("");
  if (!changed && now - drawn_at_ < kRedraw) return;
  drawn_at_ = now;
  draw();
}

void ProgressView::draw() {
  std::string text;
  if (lines_ > 0) text += "\x1b[" + std::to_string(lines_) + "A";
  const std::size_t columns = terminal_columns() - 1;
  for (const auto& key : order_) text += "\r\x1b[K" + progress_line(seen_[key].latest, columns) + "\n";
  lines_ = order_.size();
  put(text);
}

void ProgressView::clear_locked() {
  if (lines_ == 0) return;
  put("\x1b[" + std::to_string(lines_) + "A\r\x1b[J");
  lines_ = 0;
}

void ProgressView::beside(const std::function<void()>& write) {
  if (mode_ != Mode::kBar) return write();
  const std::lock_guard lock(mutex_);
  clear_locked();
  write();
}

void ProgressView::finish() {
  const std::lock_guard lock(mutex_);
  if (mode_ == Mode::kBar && lines_ > 0) draw();
  lines_ = 0;
  order_.clear();
  seen_.clear();
}

}  // namespace rackline::cli
