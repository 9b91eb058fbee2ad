// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "failover/protect.h"
#include "failover/unprotected.h"

namespace rackline::failover {

// Whom failover would start again and whom not, kept up with each look at the hosts: what is new is protected
// where the standing rule wants it, and who is left is named.
class Coverage {
 public:
  // All references must outlive it.
  Coverage(store::Store& store, Protector& protector, bool dry_run, UnprotectedWatch::Hooks hooks)
      : store_(store), protector_(protector), dry_run_(dry_run), watch_(std::move(hooks)) {}

  // The latest look, of which nothing follows yet.
  void saw(const View& view) { view_ = view; }
  // Names those of the latest look that nobody protects, when that has changed.
  void name();
  // Protects what is new first. While another one has the lock that is left for the next look.
  void keep_up();
  // A proof was acted on: those that ran there unprotected are named, if the host is marked.
  void fenced(const std::string& host);

 private:
  store::Store& store_;
  Protector& protector_;
  bool dry_run_;
  UnprotectedWatch watch_;
  View view_;
};

}  // namespace rackline::failover
