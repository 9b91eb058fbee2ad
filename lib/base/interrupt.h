// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.h"

namespace rackline::interrupt {

// INT and TERM mean: finish or roll back the unit in hand, write `end`, exit. A second one exits at once.

// Installs the handlers (without SA_RESTART, so that a blocking read returns). Called once, by cli::Program.
void install();

// Asks for the same orderly stop from inside, e.g. when the reader of our stdout is gone. `signal` is what
// exit_status reports, `why` (a text that lives on) what the program says about it at its end.
void request(int signal, const char* why = nullptr);
const char* reason();  // nullptr: there is nothing to say

bool requested();
int signal();  // the signal that asked, 0 when none did

// Becomes readable when a stop is asked for, and stays so: for poll and Asio.
int fd();

enum class Woken { kTime, kInterrupt, kReaderGone };

// Waits until `clock` says `deadline` (monotonic), a stop is asked for, or, where `watch_stdout`, the reader
// of our stdout is gone: a quiet producer gets no SIGPIPE, but poll tells (POLLERR).
Woken wait_until(const Clock& clock, Milliseconds deadline, bool watch_stdout);

}  // namespace rackline::interrupt
