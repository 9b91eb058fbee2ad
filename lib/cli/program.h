// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "cli/options.h"
#include "cli/output.h"
#include "record/kinds_inventory.h"
#include "record/kinds_stream.h"
#include "record/reader.h"

namespace rackline::cli {

// What kind of program it is decides what a closed stdout means: a filter dies of it silently (SIGPIPE),
// whoever holds something that must be put down in order treats it as a request to stop.
enum class Nature { kObserve, kDecide, kAct, kKeep, kServe, kFilter };

struct Example {
  std::string command;
  std::string text;
};

struct About {
  std::string name;
  Nature nature = Nature::kFilter;
  std::string summary;  // one line, no full stop
  std::string description = {};
  std::vector<Example> examples = {};
};

// The one frame of all programs: common options, streams, signals, exit status, shell completion.
//
//     int main(int argc, char** argv) {
//       cli::Program program({.name = "capwatch", .nature = cli::Nature::kObserve, ...});
//       program.takes_inventory();
//       program.options().duration("--interval", interval, "time between two rounds");
//       return program.run(argc, argv, [&] { ...; return Status::kDone; });
//     }
//
// run() parses, calls the body (that of the command which was given, if the program has commands), writes the
// `end` record (outcome from the returned Status, the thrown Error or the signal) and returns the exit
// status. Options that several programs have are declared here, once, so that the same thing has the same
// flag everywhere. Values come from the flag, else the environment, else
// ~/.config/rackline/config.toml, else /etc/rackline/config.toml (a [section] per program).
class Program {
 public:
  explicit Program(About about);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // --- declaring, before run() ---

  Options& options();
  CLI::App& app();                          // for what lib/cli does with all options
  void takes_inventory();                   // --inventory FILE, RACKLINE_INVENTORY
  void takes_store();                       // --store URL, RACKLINE_STORE
  void takes_timeout(Milliseconds preset);  // --timeout DURATION
  void takes_dry_run();                     // -n, --dry-run
  void takes_append();                      // --append FILE, for programs that run as services
  void takes_progress();                    // --progress auto|bar|json|none

  int run(int argc, char** argv, const std::function<Status()>& body = {});

  // --- within the body ---

  const About& about() const;
  const Clock& clock() const { return system_clock(); }
  Output& out();
  record::End& end();  // counts for the `end` record; its outcome is set by run()
  // What only this program counts, as a record of its own that run() writes just before `end`; each call
  // hands out the same one, so a program has one kind of them.
  template <class K>
  K& summary() {
    Summary& kept = summary_slot();
    if (!kept.record) {
      const auto made = std::make_shared<K>();
      kept = {&K::kKind, made, [made](Output& out) { out.write(*made); }};
    }
    return *static_cast<K*>(kept.record.get());
  }
  bool dry_run() const;
  bool verbose() const;
  bool quiet() const;
  Milliseconds timeout() const;
  const std::string& store_url() const;

  // The hosts of the inventory, in its order. Throws Error(kUsage) for a line that cannot be read, a host
  // named twice, an inventory without hosts, or an inventory that is not there.
  std::vector<record::Host> inventory();
  // For those who need more of it than the hosts: which file it is, empty when there is none.
  std::string inventory_file() const;

  // Reads stdin; problems go to stderr as messages. Refuses a terminal as input: nobody types records, and a
  // program that waits silently for them looks hung.
  // `also`, if given, is called for each line that cannot be read, while it is the reader's text().
  std::unique_ptr<record::Reader> stdin_reader(record::Policy policy, std::function<void()> also = {});
  std::unique_ptr<record::Reader> file_reader(const std::string& path, record::Policy policy);
  // Throws Error(kUsage) unless the stream was ended in order by an `end` record of outcome "ok": `what`
  // cannot be done on a part of a plan.
  static void require_complete(const record::Reader& reader, const std::string& what);

  // One line "name: text" on stderr. warn() is always shown; note() only where stderr is a terminal or with
  // -v, and not with -q: cron mails only trouble. Without -v, many alike become three and a count.
  void warn(const std::string& text);
  void note(const std::string& text);
  // Of many alike each is shown all the same, as it names a host or a VM that somebody has to look at.
  void says_each_warning();
  // What no program will do anything about. As warn(), and where RACKLINE_CALLS names a directory, a file
  // there holds the sentence until the hooks of the machine have it: see rackline-person.service.
  void call_person(const std::string& text);

  // What stdout gets is not a stream of records but a text about the program: no `end` record.
  void describes_itself();
  // End the process without waiting for threads that hang in calls which cannot be cancelled (libvirt has
  // such).
  void leaves_threads_behind();

  // Shows how far a piece of work is, as --progress says; call it as often as you like.
  void progress(const record::Progress& progress);

 private:
  struct Summary {
    const record::Kind* kind = nullptr;
    std::shared_ptr<void> record;
    std::function<void(Output&)> write;
  };
  Summary& summary_slot();

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rackline::cli
