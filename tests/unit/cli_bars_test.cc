// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>

#include "cli/bars.h"

namespace rackline::cli {
namespace {

BarChart chart() {
  return {"HOST",
          "VMS",
          {"CPU", "MEMORY"},
          {{"h1", "8 -> 5", {{90.0, 60.0, 75}, {50.0, 31.0, 90}}},
           {"host-with-a-name", "4 -> 7", {{20.0, 80.0, 75}, {std::nullopt, std::nullopt, 90}}}}};
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) found.push_back(line);
  return found;
}

TEST(CliBars, ShowsBeforeAndAfterAligned) {
  const auto rows = lines(draw(chart(), 100, false));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].find('['), rows[2].find('['));
  EXPECT_NE(rows[1].find(" 90% -> 60%"), std::string::npos);
  EXPECT_NE(rows[2].find(" 20% -> 80%!"), std::string::npos) << "above the limit";
  EXPECT_NE(rows[2].find("   - ->   -"), std::string::npos) << "unknown is no number";
  EXPECT_EQ(rows[0].find("VMS"), rows[1].find("8 -> 5"));
  EXPECT_EQ(rows[0].find("CPU"), rows[1].find('['));
}

TEST(CliBars, NeverIsWiderThanItMay) {
  for (std::size_t columns = 1; columns < 200; ++columns) {
    for (const auto& line : lines(draw(chart(), columns, false))) {
      if (columns >= 20) {
        EXPECT_LE(line.size(), columns);
      }
    }
  }
  EXPECT_EQ(lines(draw(chart(), 60, false))[1].find('['), std::string::npos) << "too small for bars: numbers";
  EXPECT_NE(lines(draw(chart(), 60, false))[1].find("90% -> 60%"), std::string::npos);
}

TEST(CliBars, ColourOnlyOnDemand) {
  EXPECT_EQ(draw(chart(), 100, false).find('\x1b'), std::string::npos);
  const std::string text = draw(chart(), 100, true);
  EXPECT_NE(text.find("\x1b[31m"), std::string::npos) << "red: too much";
  EXPECT_NE(text.find("\x1b[32m"), std::string::npos) << "green: no longer too much";
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = text.find('m', i);
    } else {
      plain += text[i];
    }
  }
  EXPECT_EQ(plain, draw(chart(), 100, false));
}

TEST(CliBars, NothingIsNoChart) {
  EXPECT_EQ(draw({"HOST", "VMS", {"CPU"}, {}}, 80, true), "");
}

}  // namespace
}  // namespace rackline::cli
