// SPDX-License-Identifier: Apache-2.0
#include "audit/story.h"

#include <algorithm>
#include <array>
#include <set>

#include "audit/line.h"
#include "audit/query.h"
#include "base/error.h"
#include "base/time.h"
#include "record/kinds.h"
#include "record/writer.h"

namespace rackline::audit {
namespace {

constexpr int kMostPasses = 16;
// Fields that say what a record belongs to. `request` is the id of a decision in a result of another name.
constexpr std::array<std::string_view, 5> kLinks{"cause", "record.id", "record.cause", "record.fence",
                                                 "record.request"};

std::string phase_of(const record::Kind* kind) {
  if (kind == nullptr) return "told";
  switch (kind->role) {
    case record::Role::kConfiguration:
      return "asked";
    case record::Role::kFact:
      return "seen";
    case record::Role::kDecision:
      return "decided";
    case record::Role::kResult:
      return "done";
    case record::Role::kSummary:
    case record::Role::kControl:
      return "told";
  }
  return "told";
}

// Of what was taken out only a commitment stands there, which tells a person nothing.
bool redacted(std::string_view value) {
  return value.starts_with(R"({"redacted":")");
}

record::AuditStep made_of(std::string_view line, const Fields& fields) {
  record::AuditStep step;
  std::string inner = "{", other;
  std::string kind_name;
  const auto text = [](std::string_view value) {
    return redacted(value) ? "redacted" : unquoted(value).value_or("");
  };
  const auto as_words = [&](std::string_view value) {
    return value.starts_with('"') || redacted(value) ? text(value) : std::string(value);
  };
  for (std::size_t i = 0; i < fields.names.size(); ++i) {
    const std::string& name = fields.names[i];
    const auto value = fields.values[i];
    if (name == "actor") step.actor = text(value);
    if (name == "host") step.on = text(value);
    if (name == "request" && value.starts_with('"')) step.request = text(value);
    if (name == "time" || name == "record.time") {
      if (const auto at = parse_time(text(value))) step.at = *at;
    }
    if (!name.starts_with("record.")) continue;
    const std::string_view own = std::string_view(name).substr(std::string_view("record.").size());
    inner += (inner.size() > 1 ? ",\"" : "\"") + std::string(own) +
             "\":" + (redacted(value) ? "\"redacted\"" : std::string(value));
    if (own == "kind") kind_name = text(value);
    if (own == "tool") step.by = text(value);
    if (own == "outcome") step.outcome = text(value);
    if (own == "reason" && value.starts_with('"')) step.reason = text(value);
    if (own == "kind" || own == "time" || own == "tool" || value == "null") continue;
    other += "  " + std::string(own) + " " + as_words(value);
  }
  if (kind_name.empty()) {  // about the trail itself, or text
    for (std::size_t i = 0; i < fields.names.size(); ++i) {
      constexpr std::array<std::string_view, 7> kHead{"kind",  "time", "tool", "seq",
                                                      "actor", "host", "after"};
      const std::string& name = fields.names[i];
      if (name == "kind") kind_name = text(fields.values[i]);
      if (std::find(kHead.begin(), kHead.end(), name) != kHead.end() || fields.values[i] == "null") continue;
      other += "  " + name + " " + as_words(fields.values[i]);
    }
    step.by = "audit";
    inner = "{";
  }
  inner += '}';
  if (const auto outcome = outcome_in(kind_name); !step.outcome && !outcome.empty()) step.outcome = outcome;
  step.line = integer_member(line, "seq");
  const record::Kind* kind = record::find_kind(kind_name);
  step.phase = phase_of(kind);
  step.what = kind == nullptr || inner.size() < 3 ? std::string{} : record::to_words(*kind, inner);
  // Of a kind that nobody has described, everything.
  if (step.what.empty()) step.what = kind_name + other;
  return step;
}

}  // namespace

record::AuditStep step_of(std::string_view line) {
  const auto fields = fields_of(line);
  return fields ? made_of(line, *fields) : record::AuditStep{};
}

std::vector<record::AuditStep> story_of(const std::string& id, const AllLines& all_lines) {
  std::set<std::string> names{id};
  std::vector<record::AuditStep> steps;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const std::size_t known = names.size();
    steps.clear();
    all_lines([&](std::string_view line) {
      const bool glance = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return line.find(name) != std::string_view::npos;
      });
      if (!glance) return true;
      const auto fields = fields_of(line);
      if (!fields) return true;
      bool belongs = false;
      std::vector<std::string> links;
      for (std::size_t i = 0; i < fields->names.size(); ++i) {
        if (std::find(kLinks.begin(), kLinks.end(), fields->names[i]) == kLinks.end()) continue;
        const auto text = unquoted(fields->values[i]);
        if (!text || text->empty()) continue;
        belongs = belongs || names.contains(*text);
        if (fields->names[i] != "record.request") links.push_back(*text);
      }
      if (!belongs) return true;
      names.insert(links.begin(), links.end());
      steps.push_back(made_of(line, *fields));
      return true;
    });
    if (names.size() == known) break;
  }
  std::stable_sort(steps.begin(), steps.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return steps;
}

std::optional<std::string> id_that_begins(const std::string& prefix, const AllLines& all_lines) {
  constexpr std::size_t kFewest = 6;
  if (prefix.size() < kFewest) return std::nullopt;
  std::set<std::string> found;
  all_lines([&](std::string_view line) {
    if (line.find(prefix) == std::string_view::npos) return true;
    const auto fields = fields_of(line);
    for (std::size_t i = 0; fields && i < fields->names.size(); ++i) {
      if (std::find(kLinks.begin(), kLinks.end(), fields->names[i]) == kLinks.end()) continue;
      if (auto text = unquoted(fields->values[i]); text && text->starts_with(prefix)) found.insert(*text);
    }
    return found.size() < 2;
  });
  if (found.size() > 1) {
    throw Error(Status::kUsage, "tell", prefix,
                "several ids begin with it: " + *found.begin() + ", " + *found.rbegin() + " and maybe more",
                "give more of it");
  }
  return found.empty() ? std::nullopt : std::optional(*found.begin());
}

}  // namespace rackline::audit
