// SPDX-License-Identifier: Apache-2.0
#include "reserve/calendar.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace rackline::reserve {
namespace {

constexpr Second kHour = 3600;
constexpr Second kDay = 24 * kHour;

Span column(const Window& window, int i) {
  const Second length = window.until - window.from;
  const auto edge = [&](int n) { return window.from + length * n / window.columns; };
  return {edge(i), std::max(edge(i + 1), edge(i) + 1)};
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
    const std::tm begin = local(part.from);
    const Second unit = days ? kDay : kHour;
    const Second into =
        days ? begin.tm_hour * kHour + begin.tm_min * 60 + begin.tm_sec : begin.tm_min * 60 + begin.tm_sec;
    const Second mark = into == 0 ? part.from : part.from + unit - into;
    if (mark >= part.until) continue;
    const std::string name = "|" + label(mark, days);
    const auto place = static_cast<std::size_t>(i);
    if (place < free || place + name.size() > text.size()) continue;
    text.replace(place, name.size(), name);
    free = place + name.size() + 1;
  }
  return text;
}

std::vector<record::CalendarRow> calendar(store::Store& store, Desk& desk, const Filter& filter,
                                          const Window& window) {
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
    below[pool].push_back(std::move(row));
  };
  list(store, within, window.from,
       {.claim =
            [&](const Claim& claim) { add(claim.pool, claim.owner, claim.id, claim.amounts, claim.spans); },
        .loan =
            [&](const Loan& loan) {
              add(loan.lender, "lent to " + loan.borrower, loan.id, loan.amounts, loan.spans);
            }});
  rows.emplace_back();
  rows.back().pool = "";
  rows.back().chart = scale(window);
  desk.look([&](Ledger& ledger) {
    for (const auto& pool : pools) {
      if (!filter.pool.empty() && pool.name != filter.pool && !below.contains(pool.name)) continue;
      for (const auto& [name, about] : pool.resources) {
        record::CalendarRow row;
        row.pool = pool.name;
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
