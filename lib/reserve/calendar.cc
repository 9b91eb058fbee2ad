// SPDX-License-Identifier: Apache-2.0
#include "reserve/calendar.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/local_time.h"
#include "base/units.h"

namespace rackline::reserve {
namespace {

constexpr Second kHour = 3600;
constexpr Second kDay = 24 * kHour;

// How long a character is. The last one may reach beyond the window's end.
Second step(const Window& window) {
  return std::max<Second>((window.until - window.from + window.columns - 1) / window.columns, 1);
}

Span column(const Window& window, int i) {
  const Second length = step(window);
  return {window.from + length * i, window.from + length * (i + 1)};
}

record::Time time_of(Second at) {
  return record::Time{std::chrono::seconds{at}};
}

std::string drawn(const std::vector<Span>& spans, const Window& window) {
  std::string chart;
  for (int i = 0; i < window.columns; ++i) {
    const Span part = column(window, i);
    const bool held = std::any_of(spans.begin(), spans.end(), [&](const Span& span) {
      return span.from < part.until && part.from < span.until;
    });
    chart += held ? '#' : '.';
  }
  return chart;
}

std::tm local(Second at) {
  const std::time_t time = at;
  std::tm parts = {};
  localtime_r(&time, &parts);
  return parts;
}

// The first instant from there on at which a local day or hour begins. A day may have 23 hours, or 25.
Second next_day(Second from) {
  const auto time = local_of(std::chrono::sys_seconds{std::chrono::seconds{from}});
  return instant_of(std::chrono::ceil<std::chrono::days>(time)).at.time_since_epoch().count();
}
Second next_hour(Second from) {
  const std::tm begin = local(from);
  const Second into = begin.tm_min * Second{60} + begin.tm_sec;
  return into == 0 ? from : from + kHour - into;
}

std::string label(Second at, bool days) {
  const std::tm parts = local(at);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), days ? "%a %d" : "%H:%M", &parts);
  return text.data();
}

}  // namespace

std::string scale(const Window& window) {
  const Second length = window.until - window.from;
  const bool days = length > 2 * kDay;
  // A mark where a column holds the beginning of a day or an hour, if the last one leaves room.
  std::string text(static_cast<std::size_t>(window.columns), ' ');
  std::size_t free = 0;
  for (int i = 0; i < window.columns; ++i) {
    const Span part = column(window, i);
    const Second mark = days ? next_day(part.from) : next_hour(part.from);
    // The first column says when the chart begins, wherever in a day or an hour that is.
    if (i > 0 && mark >= part.until) continue;
    const std::string name = "|" + label(i == 0 ? part.from : mark, days);
    const auto place = static_cast<std::size_t>(i);
    if (place < free || place + name.size() > text.size()) continue;
    text.replace(place, name.size(), name);
    free = place + name.size() + 1;
  }
  return text;
}

int chart_columns(const std::vector<record::CalendarRow>& rows, std::size_t whole) {
  constexpr std::size_t kLeast = 28;
  constexpr std::size_t kGap = 2;
  std::size_t pool = 4;
  std::size_t owner = 5;
  std::size_t id = 2;
  std::size_t amounts = 6;
  for (const auto& row : rows) {
    pool = std::max(pool, row.pool.size());
    if (row.owner) owner = std::max(owner, row.owner->size());
    if (row.id) id = std::max(id, row.id->size());
    std::size_t all = 0;
    for (const auto& one : row.amounts.value_or(std::vector<std::string>{})) all += one.size() + 1;
    amounts = std::max(amounts, all);
  }
  const std::size_t others = pool + owner + id + amounts + 4 * kGap;
  return static_cast<int>(std::max(whole > others ? whole - others : 0, kLeast));
}

std::string legend(const Window& window) {
  return "A character is " + format_duration(std::chrono::seconds{step(window)}) +
         ". # held, . free; of a pool 0 to 9: tenths of it that are held, *: all of it.\n";
}

std::vector<record::CalendarRow> calendar(store::Store& store, LedgerStore& ledgers, const Filter& filter,
                                          const Window& window, Second now) {
  const auto pools = all_pools(store);
  const Records records(pools);
  std::vector<record::CalendarRow> rows;
  std::map<std::string, std::vector<record::CalendarRow>> below;
  Filter within = filter;
  within.span = Span{window.from, window.until};
  const auto add = [&](const std::string& pool, const std::string& owner, const std::string& id,
                       const Amounts& amounts, const std::vector<Span>& spans) {
    record::CalendarRow row;
    row.pool = pool;
    row.owner = owner;
    row.id = id;
    row.amounts = records.texts(pool, amounts, true);
    row.chart = drawn(spans, window);
    row.from = time_of(window.from);
    row.step_ms = step(window) * 1000;
    below[pool].push_back(std::move(row));
  };
  list(store, within, now,
       {.claim =
            [&](const Claim& claim) { add(claim.pool, claim.owner, claim.id, claim.amounts, claim.spans); },
        .loan =
            [&](const Loan& loan) {
              add(loan.lender, "lent to " + loan.borrower, loan.id, loan.amounts, loan.spans);
            }});
  rows.emplace_back();
  rows.back().pool = "";
  rows.back().from = time_of(window.from);
  rows.back().step_ms = step(window) * 1000;
  rows.back().chart = scale(window);
  ledgers.look([&](Ledger& ledger) {
    for (const auto& pool : pools) {
      if (!filter.pool.empty() && pool.name != filter.pool && !below.contains(pool.name)) continue;
      for (const auto& [name, about] : pool.resources) {
        record::CalendarRow row;
        row.pool = pool.name;
        row.from = time_of(window.from);
        row.step_ms = step(window) * 1000;
        row.amounts = std::vector<std::string>{name + "=" + readable(about.own(), about.unit)};
        for (int i = 0; i < window.columns; ++i) {
          const auto held = ledger.held(pool.name, name, column(window, i));
          const auto tenths = about.own() <= 0 ? 0 : 10 * std::max<std::int64_t>(held, 0) / about.own();
          const bool all = about.own() > 0 && held >= about.own();
          row.chart += all         ? '*'
                       : held <= 0 ? '.'
                                   : static_cast<char>('0' + std::min<std::int64_t>(tenths, 9));
        }
        rows.push_back(std::move(row));
      }
      for (auto& row : below[pool.name]) rows.push_back(std::move(row));
    }
  });
  return rows;
}

}  // namespace rackline::reserve
