// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"

namespace rackline {

// A file that a program appends to for as long as it runs, while others rotate it.
class AppendedFile {
 public:
  // Makes it where there is none. `attempted` is what errors say. Throws Error(kUnreachable), as the others
  // do.
  AppendedFile(std::string attempted, std::string path);

  int fd() const { return file_.get(); }
  // Its name leads to another file by now, or to none: it has been rotated.
  bool moved() const;
  // Opens, and makes, the file that the name leads to, if it was moved.
  void follow_name();
  // All of it, into the file that is open.
  void write(std::string_view text);

 private:
  void open();

  std::string attempted_, path_;
  Fd file_;
};

}  // namespace rackline
