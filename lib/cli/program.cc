// SPDX-License-Identifier: Apache-2.0
#include "cli/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>

#include "base/descriptors.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/person.h"
#include "base/printable.h"
#include "base/units.h"
#include "base/version.h"
#include "cli/bars.h"
#include "cli/command.h"
#include "cli/complaints.h"
#include "cli/completion.h"
#include "cli/config.h"
#include "cli/declared.h"
#include "cli/progress.h"
#include "cluster/arrays.h"
#include "cluster/inventory.h"
#include "proc/child.h"

namespace rackline::cli {
namespace {

// A person waits for the shell: a host that hangs costs this much, and the names on the others are offered.
constexpr const char* kCompletionTimeout = "1500ms";
constexpr Milliseconds kCompletionPatience{2500};

std::string footer_of(const About& about) {
  std::string text;
  if (!about.examples.empty()) text += "Examples:\n";
  for (const auto& example : about.examples)
    text += "  " + example.command + "\n      " + example.text + "\n";
  text +=
      "\nExit status: 0 done; 1 the answer is no, or an action failed; 2 usage; 3 unreachable; 4 refused for "
      "safety;\n"
      "5 busy; 124 timeout; 128+n signal n. The manual: man " +
      about.name;
  return text;
}

std::string outcome_of(Status status) {
  switch (status) {
    case Status::kDone:
      return "ok";
    case Status::kRefused:
      return "refused";
    default:
      return "failed";
  }
}

bool colour_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') && (term == nullptr || std::string_view(term) != "dumb");
}

class HelpFormatter : public CLI::Formatter {
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text = CLI::Formatter::make_option_opts(option);
    const std::string full = option->get_type_name();
    if (const auto at = text.find(full); at != std::string::npos)
      text.replace(at, full.size(), value_name(*option));
    return text;
  }
};

}  // namespace

struct Program::State {
  explicit State(About given)
      : about(std::move(given)),
        app(about.summary + (about.description.empty() ? "" : "\n\n" + about.description), about.name),
        out(STDOUT_FILENO, about.name, dies_of_sigpipe() ? Output::Closed::kDie : Output::Closed::kStop) {}

  bool dies_of_sigpipe() const {
    return about.nature == Nature::kObserve || about.nature == Nature::kDecide ||
           about.nature == Nature::kFilter;
  }

  About about;
  CLI::App app;
  Output out;
  record::End end;
  Summary summary;
  std::string format, append_path, inventory_path, store_url = "sqlite:/var/lib/rackline/state.db",
                                                   progress_mode = "auto";
  bool quiet = false, verbose = false, dry_run = false, describes_itself = false, leaves_threads = false,
       says_each = false;
  Milliseconds timeout{0};
  std::int64_t skipped = 0;
  std::shared_ptr<Declared> declared = std::make_shared<Declared>();
  Options options{app, declared};
  std::vector<Fd> files;
  std::unique_ptr<ProgressView> progress;
  Complaints complaints{system_clock(), [this](const std::string& text) { say(about.name + ": " + text); }};

  std::string inventory() const { return inventory_path.empty() ? default_inventory() : inventory_path; }
  int answer_completion(const std::vector<std::string>& typed);
  std::vector<std::string> candidates(const CLI::Option& option);
  std::vector<std::string> host_names() const;
  std::vector<std::string> array_names() const;
  std::vector<std::string> vm_names() const;
  void prepare_streams();
  void say(std::string line) const;
  // The body of the innermost command that was given, else that of the program.
  const std::function<Status()>& chosen(const std::function<Status()>& body) const;
  void copy_to_end();
  void write_end(Status status, const std::string& reason, Milliseconds started);
};

Program::Program(About about) {
  hold_standard_descriptors();
  raise_descriptor_limit();
  state_ = std::make_unique<State>(std::move(about));
  State& s = *state_;
  s.app.fallthrough();  // common options may stand behind a subcommand
  s.app.formatter(std::make_shared<HelpFormatter>());
  s.app.footer(footer_of(s.about));
  s.app.set_version_flag("-V,--version", s.about.name + " (rackline) " + version(),
                         "print the version and exit");
  s.app.set_help_flag("-h,--help", "print this help and exit");
  s.options.choice("-o,--output", s.format, {"json", "table"},
                   "how records are written; a table if stdout is a terminal, else json");
  s.options.flag("-q,--quiet", s.quiet, "say nothing on stderr but errors");
  s.options.flag("-v,--verbose", s.verbose, "say more on stderr; all columns in a table");
}

Program::~Program() = default;

CLI::App& Program::app() {
  return state_->app;
}
Options& Program::options() {
  return state_->options;
}

void Program::takes_inventory() {
  state_->options
      .text("--inventory", state_->inventory_path,
            "file of host records, - for stdin (else ~/.config/rackline/inventory.jsonl, "
            "/etc/rackline/inventory.jsonl)",
            "FILE")
      .from("RACKLINE_INVENTORY")
      .offers(Values::kFiles);
}

void Program::takes_store() {
  state_->options.text("--store", state_->store_url, "where state is kept", "URL")
      .from("RACKLINE_STORE")
      .shows_default();
}

void Program::takes_timeout(Milliseconds preset) {
  state_->timeout = preset;
  state_->options.duration("--timeout", state_->timeout, "how long to wait for an answer");
}

void Program::takes_dry_run() {
  state_->options.flag("-n,--dry-run", state_->dry_run,
                       "check everything, change nothing; records say planned");
}

void Program::takes_append() {
  state_->options
      .text("--append", state_->append_path,
            "append the records to FILE in place of stdout, and to the next one when it is rotated", "FILE")
      .offers(Values::kFiles);
}

void Program::takes_progress() {
  state_->options
      .choice("--progress", state_->progress_mode, {"auto", "bar", "json", "none"},
              "how progress is shown: auto is a bar if stderr is a terminal")
      .shows_default();
}

namespace {

// No inventory, nothing to offer: a completion has nowhere to put a message.
template <class Load, class Tell>
std::vector<std::string> names_of(const Load& load, const Tell& tell) {
  std::vector<std::string> names;
  try {
    for (const auto& one : load()) names.push_back(tell(one));
  } catch (const Error&) {
    names.clear();
  }
  return names;
}

}  // namespace

std::vector<std::string> Program::State::host_names() const {
  return names_of([this] { return cluster::load_inventory(inventory()); },
                  [](const record::Host& host) { return host.host + "\t" + host.uri; });
}

std::vector<std::string> Program::State::array_names() const {
  return names_of([this] { return cluster::load_arrays(inventory()); },
                  [](const record::Array& array) { return array.array + "\t" + array.portal; });
}

std::vector<std::string> Program::State::vm_names() const {
  // Only an observer may ask the hypervisors, so it is asked: the one that was installed beside this program.
  std::vector<std::string> names;
  if (inventory().empty()) return names;
  try {
    const auto self = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "capwatch";
    const auto finished = proc::run(
        {self.string(), "--list", "vms", "-q", "--timeout", kCompletionTimeout, "--inventory", inventory()},
        "", kCompletionPatience);
    std::string line;
    for (const char c : finished.out) {
      if (c != '\n') {
        line += c;
      } else {
        names.push_back(std::exchange(line, {}));
      }
    }
  } catch (const std::exception&) {
    names.clear();
  }
  return names;
}

std::vector<std::string> Program::State::candidates(const CLI::Option& option) {
  if (const auto found = declared->words.find(&option); found != declared->words.end()) return found->second;
  if (const auto found = declared->values.find(&option); found != declared->values.end()) {
    switch (found->second) {
      case Values::kFiles:
        return {"@files"};
      case Values::kHosts:
        return host_names();
      case Values::kVms:
        return vm_names();
      case Values::kArrays:
        return array_names();
    }
  }
  return {};
}

int Program::State::answer_completion(const std::vector<std::string>& typed) {
  try {
    apply_config(app, about.name);
  } catch (const Error&) {
    // The program itself will say what is wrong with the configuration.
  }
  if (const char* path = std::getenv("RACKLINE_INVENTORY"); path != nullptr && *path != '\0')
    inventory_path = path;
  if (auto path = value_given(app, typed, "--inventory"); !path.empty()) {
    const char* home = std::getenv("HOME");  // the shell has not expanded the line that is being typed
    if (path.starts_with("~/") && home != nullptr) path.replace(0, 1, home);
    inventory_path = path == "-" ? "/dev/null" : path;  // stdin is the person's keyboard
  }
  for (const auto& line :
       complete(app, typed, [this](const CLI::Option& option) { return candidates(option); })) {
    const auto tab = line.find('\t');  // before what is told of it
    std::cout << printable(line.substr(0, tab));
    if (tab != std::string::npos) std::cout << '\t' << printable(line.substr(tab + 1));
    std::cout << '\n';
  }
  return std::cout.flush() ? 0 : static_cast<int>(Status::kUnreachable);
}

void Program::State::prepare_streams() {
  if (!dies_of_sigpipe()) std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a write that fails, and no death
  interrupt::install();
  const bool terminal = append_path.empty() && isatty(STDOUT_FILENO) == 1;
  const bool table = format.empty() ? terminal : format == "table";
  out.set_format(table ? Format::kTable : Format::kJson, verbose, terminal && colour_wanted(),
                 terminal && !verbose ? output_columns() : 0);
  auto mode = ProgressView::Mode::kNone;
  if (progress_mode == "json") mode = ProgressView::Mode::kJson;
  const bool bars =
      progress_mode == "bar" || (progress_mode == "auto" && isatty(STDERR_FILENO) == 1 && !quiet);
  if (bars) mode = ProgressView::Mode::kBar;
  progress = std::make_unique<ProgressView>(mode, system_clock(), out);
  if (terminal) out.on_terminal([this](const auto& write) { progress->beside(write); });
  if (!dies_of_sigpipe())
    out.tells_lost([this](const auto& words) { say(about.name + ": not written: " + words); });
  if (!append_path.empty()) out.append_to(AppendedFile("write records", append_path));
}

// A line on stderr, whatever is in it.
void Program::State::say(std::string line) const {
  // What goes on indented is ours; a name from outside begins no line.
  std::string shown;
  for (std::size_t at = 0, next = 0; at <= line.size(); at = next + 1) {
    next = std::min(line.find('\n', at), line.size());
    const std::string part = line.substr(at, next - at);
    if (at > 0) shown += part.starts_with("  ") ? "\n" : " ";
    shown += printable(part);
  }
  const auto write = [&] { std::cerr << shown + "\n" << std::flush; };
  if (progress) return progress->beside(write);
  write();
}

const std::function<Status()>& Program::State::chosen(const std::function<Status()>& body) const {
  const auto* found = &body;
  for (const CLI::App* at = &app; at != nullptr;) {
    if (const auto own = declared->bodies.find(at); own != declared->bodies.end()) found = &own->second;
    const auto given = at->get_subcommands();
    at = given.empty() ? nullptr : given.front();
  }
  return *found;
}

void Program::State::write_end(Status status, const std::string& reason, Milliseconds started) {
  progress->finish();
  if (describes_itself) return;
  if (end.outcome.empty()) end.outcome = outcome_of(status);
  if (interrupt::requested()) end.outcome = "interrupted";
  if (!reason.empty()) end.reason = reason;
  if (skipped > 0) end.skipped = skipped;
  // What a decider writes depends on its input alone, so it does not tell how long it took.
  if (about.nature != Nature::kDecide) end.elapsed_ms = (system_clock().monotonic() - started).count();
  if (summary.write) {
    summary.write(out);
    copy_to_end();
  }
  out.write(end);
  out.flush();
}

// What stood in `end` before there were summaries, for scripts that read it there.
void Program::State::copy_to_end() {
  constexpr std::array<std::string_view, 7> kCopied{"rounds",       "fluctuations", "records",    "moves",
                                                    "score_before", "score_after",  "lower_bound"};
  const auto find = [](const record::Kind& kind, std::string_view name) {
    return std::find_if(kind.fields.begin(), kind.fields.end(),
                        [&](const record::Field& field) { return field.name == name; });
  };
  for (const auto name : kCopied) {
    const auto field = find(*summary.kind, name);
    if (field == summary.kind->fields.end()) continue;
    const void* from = field->member(summary.record.get());
    void* to = find(record::End::kKind, name)->member(&end);
    if (field->type == record::Type::kNumber) {
      *static_cast<record::Number*>(to) = *static_cast<const record::Number*>(from);
    } else {
      *static_cast<record::Integer*>(to) = *static_cast<const record::Integer*>(from);
    }
  }
}

int Program::run(int argc, char** argv, const std::function<Status()>& body) {
  State& s = *state_;
  if (argc >= 2 && std::string_view(argv[1]) == "__complete") {
    return s.answer_completion({argv + 2, argv + argc});
  }
  if (argc == 2 && std::string_view(argv[1]) == "__options") {
    for (const auto& line : option_table(s.app)) std::cout << line << '\n';
    return std::cout.flush() ? 0 : static_cast<int>(Status::kUnreachable);
  }
  try {
    apply_config(s.app, s.about.name);
    name_common_options(s.app);
    s.app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    s.app.exit(done);
    return std::cout.flush() ? 0 : static_cast<int>(Status::kUnreachable);
  } catch (const CLI::ParseError& error) {
    const auto wrong = wrong_command(s.app, error);
    warn("read the command line: " + (wrong.empty() ? error.what() : wrong));
    s.say("Try '" + s.about.name + " --help'.");
    return static_cast<int>(Status::kUsage);
  } catch (const Error& error) {
    warn(error.what());
    return static_cast<int>(error.status());
  }

  const auto started = system_clock().monotonic();
  Status status = Status::kDone;
  std::string reason;
  try {
    s.prepare_streams();
    status = s.chosen(body)();
    s.complaints.close();
    if (const char* why = interrupt::reason(); why != nullptr) warn(reason = why);
    s.write_end(status, reason, started);
  } catch (const std::exception& error) {
    const auto* ours = dynamic_cast<const Error*>(&error);
    status = ours != nullptr ? ours->status() : Status::kUnreachable;  // and no answer
    reason = ours != nullptr ? error.what() : std::string("unexpected: ") + error.what();
    s.complaints.close();
    warn(reason);
    if (ours != nullptr && !ours->hint().empty()) s.say("  " + ours->hint());
    try {
      s.end.outcome.clear();
      s.write_end(status, reason, started);
    } catch (const std::exception&) {
      // stdout is what has failed; the message above says so
    }
  }
  int code = interrupt::requested() ? 128 + interrupt::signal() : static_cast<int>(status);
  if (const auto failure = s.out.failure()) {
    if (reason != failure->what()) warn(failure->what());
    code = static_cast<int>(failure->status());
  }
  if (s.leaves_threads) _exit(code);  // every record has been written: nothing is left to flush
  return code;
}

const About& Program::about() const {
  return state_->about;
}
Output& Program::out() {
  return state_->out;
}
record::End& Program::end() {
  return state_->end;
}
Program::Summary& Program::summary_slot() {
  return state_->summary;
}
bool Program::dry_run() const {
  return state_->dry_run;
}
bool Program::verbose() const {
  return state_->verbose;
}
bool Program::quiet() const {
  return state_->quiet;
}
Milliseconds Program::timeout() const {
  return state_->timeout;
}
const std::string& Program::store_url() const {
  return state_->store_url;
}

std::vector<record::Host> Program::inventory() {
  return cluster::load_inventory(state_->inventory());
}

std::string Program::inventory_file() const {
  return state_->inventory();
}

std::unique_ptr<record::Reader> Program::stdin_reader(record::Policy policy, std::function<void()> also) {
  if (isatty(STDIN_FILENO) == 1) {
    throw Error(
        Status::kUsage, "read records", "stdin", "it is a terminal",
        "pipe records in, or read a file with <FILE; see the examples in " + state_->about.name + " --help");
  }
  auto reader = std::make_unique<record::Reader>(
      STDIN_FILENO, "stdin", policy, [this, also = std::move(also)](const record::Problem& problem) {
        ++state_->skipped;
        warn("read records: " + problem.text());
        if (also) also();
      });
  // What an actor would do then, nobody would hear of.
  if (state_->about.nature == Nature::kAct) reader->stops_without_reader_of(STDOUT_FILENO);
  return reader;
}

std::unique_ptr<record::Reader> Program::file_reader(const std::string& path, record::Policy policy) {
  if (path == "-") return stdin_reader(policy);
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw system_error(Status::kUsage, "read records", path);
  state_->files.push_back(std::move(file));
  return std::make_unique<record::Reader>(state_->files.back().get(), path, policy,
                                          [this](const record::Problem& problem) {
                                            ++state_->skipped;
                                            warn("read records: " + problem.text());
                                          });
}

void Program::require_complete(const record::Reader& reader, const std::string& what) {
  if (interrupt::requested()) throw Error(Status::kUsage, what, "stdin", "interrupted while reading");
  if (!reader.complete()) {
    throw Error(Status::kUsage, what, "stdin",
                "the stream has no end record: its producer died, or it was cut off", "nothing was done");
  }
  if (reader.end()->outcome != "ok") {
    throw Error(Status::kUsage, what, "stdin",
                "its producer " + reader.end()->tool + " ended with outcome " + reader.end()->outcome +
                    (reader.end()->reason ? ": " + *reader.end()->reason : ""),
                "nothing was done");
  }
}

void Program::warn(const std::string& text) {
  if (!state_->verbose && !state_->says_each) return state_->complaints.add(text);
  state_->say(state_->about.name + ": " + text);
}

void Program::note(const std::string& text) {
  if (state_->quiet || (!state_->verbose && isatty(STDERR_FILENO) != 1)) return;
  warn(text);
}

void Program::says_each_warning() {
  state_->says_each = true;
}

void Program::call_person(const std::string& text) {
  state_->say(state_->about.name + ": " + text);
  const char* calls = std::getenv("RACKLINE_CALLS");
  if (calls == nullptr || *calls == '\0' || dry_run()) return;
  try {
    leave_call(calls, state_->about.name + ": " + text);
  } catch (const Error& error) {
    warn(error.what());
  }
}

void Program::describes_itself() {
  state_->describes_itself = true;
}
void Program::leaves_threads_behind() {
  state_->leaves_threads = true;
}

void Program::progress(const record::Progress& progress) {
  state_->progress->update(progress);
}

}  // namespace rackline::cli
