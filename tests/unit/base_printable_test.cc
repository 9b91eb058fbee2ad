// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/printable.h"

namespace rackline {
namespace {

TEST(Printable, WhatDrivesATerminalIsAQuestionMarkAndAllElseStays) {
  EXPECT_EQ(printable("db1 \xc3\xa4\xe2\x82\xac \xf0\x9f\x90\xa7"),
            "db1 \xc3\xa4\xe2\x82\xac \xf0\x9f\x90\xa7");
  EXPECT_EQ(printable("\x1b]0;x\x07\t\n\r\x7f"), "?]0;x?????");
  EXPECT_EQ(printable("a\xc2\x9b"
                      "31m\xc2\xa0"),
            "a?31m\xc2\xa0")
      << "C1, and what stands right behind it";
  for (const char* bidi : {"\xe2\x80\xae", "\xe2\x80\xaa", "\xe2\x81\xa6", "\xe2\x81\xa9", "\xe2\x80\x8f",
                           "\xd8\x9c", "\xe2\x80\xa8"})
    EXPECT_EQ(printable(bidi), "?") << bidi;
  EXPECT_EQ(printable("\x9b"
                      "31m \xff \xe2\x82"),
            "?31m ? ??")
      << "broken bytes";
}

TEST(Printable, WithinJsonItIsEscapedAndMeansTheSame) {
  EXPECT_EQ(escaped("{\"a\":\"\xc2\x9b\xe2\x80\xae\x7f\",\t\"b\":\"\xc3\xa4\\u001b\"}"),
            "{\"a\":\"\\u009b\\u202e\\u007f\",\t\"b\":\"\xc3\xa4\\u001b\"}");
  EXPECT_EQ(escaped("\xff"), "\\ufffd");
}

}  // namespace
}  // namespace rackline
