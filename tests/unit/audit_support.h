// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "audit/check.h"
#include "audit/parts.h"
#include "audit/trail.h"
#include "audit/verify.h"
#include "base/id.h"
#include "base/time.h"

namespace rackline::audit {

// A trail in a directory of its own.
class ScratchTrail {
 public:
  ScratchTrail() : directory_(std::filesystem::temp_directory_path() / ("rackline-audit-" + random_id())) {
    std::filesystem::create_directory(directory_);
  }
  ~ScratchTrail() { std::filesystem::remove_all(directory_); }
  ScratchTrail(const ScratchTrail&) = delete;
  ScratchTrail& operator=(const ScratchTrail&) = delete;

  std::string path() const { return (directory_ / "trail").string(); }
  std::string file(const std::string& name) const { return (directory_ / name).string(); }
  std::string read() const { return read(path()); }
  static std::string read(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
  }
  static void write(const std::string& file, const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }
  Trail open() {
    return {path(), {"root", "adm1", {}, {}}, clock, [this](const std::string& text) {
              notices.push_back(text);
            }};
  }
  // Records 1 to `count`, and the line that closes them.
  void fill(int count) {
    Trail trail = open();
    std::vector<std::string> records;
    for (int i = 1; i <= count; ++i) records.push_back(record(i));
    trail.append({records.begin(), records.end()});
    trail.close();
  }
  static std::string record(int i) {
    const std::string n = std::to_string(i);
    return R"({"kind":"vm_moved","time":"2026-11-22T12:00:00Z","tool":"migrate","id":"m)" + n +
           R"(","vm":"db)" + n + R"(","from":"h1","to":"h2","outcome":"done"})";
  }

  FakeClock clock;
  std::vector<std::string> notices;

 private:
  std::filesystem::path directory_;
};

struct Checked {
  Verified result;
  std::vector<Finding> findings;

  // "changed 5", "removed 3-4", one after the other.
  std::string text() const {
    std::string out;
    for (const auto& finding : findings) {
      out += (out.empty() ? "" : ", ") + finding.problem;
      if (finding.first >= 0) out += " " + std::to_string(finding.first);
      if (finding.last > finding.first) out += "-" + std::to_string(finding.last);
    }
    return out;
  }
};

inline Checked check_text(std::string_view text, VerifyOptions options = {},
                          const std::optional<TrailHead>& head = {}) {
  Checked checked;
  Verifier verifier(std::move(options), [&](const Finding& finding) { checked.findings.push_back(finding); });
  verifier.begin_file("trail");
  std::size_t at = 0;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', at)) {
    verifier.line(text.substr(at, end - at));
    at = end + 1;
  }
  if (at < text.size()) verifier.torn(text.size() - at);
  checked.result = verifier.finish(head);
  return checked;
}

inline Checked check_files(const std::string& path, VerifyOptions options = {}) {
  Checked checked;
  checked.result = check_trail(path, std::move(options),
                               [&](const Finding& finding) { checked.findings.push_back(finding); });
  return checked;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

}  // namespace rackline::audit
