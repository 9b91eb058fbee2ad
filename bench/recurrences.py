# SPDX-License-Identifier: Apache-2.0
"""Random recurrences, and their times by Python's zoneinfo: a calendar that shares nothing with lib/reserve.

    recurrences.py make COUNT SEED      lines for build/bench/recurrences
    recurrences.py times <LINES         what it ought to say to them
"""
import calendar
import random
import sys
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

ZONES = """Europe/Berlin Europe/London Europe/Lisbon Europe/Helsinki Europe/Chisinau America/New_York America/Chicago
America/Los_Angeles America/St_Johns America/Havana America/Santiago America/Asuncion America/Nuuk America/Sao_Paulo
Africa/Cairo Africa/Casablanca Africa/Johannesburg Asia/Beirut Asia/Gaza Asia/Jerusalem Asia/Kolkata Asia/Kathmandu
Asia/Tokyo Australia/Sydney Australia/Adelaide Australia/Lord_Howe Antarctica/Troll Pacific/Auckland Pacific/Chatham
Pacific/Apia Pacific/Norfolk Pacific/Easter Atlantic/Azores UTC""".split()
DAYS = "mon tue wed thu fri sat sun".split()
ORDINALS = "first second third fourth fifth last".split()
MOST = 1500


def ending(n):
    return "th" if 11 <= n <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")


def clock(r):
    hour = r.choice([0, 1, 2, 3, 4, r.randrange(24)])
    return hour * 60 + r.choice([0, 0, 15, 30, 45, r.randrange(60)])


def spelt(minutes):
    return f"{minutes // 60}:{minutes % 60:02d}" if minutes % 60 else str(minutes // 60)


def rule(r, year):
    kind = r.randrange(6)
    if kind == 0:
        days = "daily"
    elif kind == 1:
        days = r.choice(["weekdays", "weekends"])
    elif kind == 2:
        days = ",".join(r.sample(DAYS, r.randint(1, 4)))
    elif kind == 3:
        days = "-".join(r.sample(DAYS, 2))
    elif kind == 4:
        days = ",".join(r.choice([f"{n}{ending(n)}", "last"]) for n in r.sample(range(1, 32), r.randint(1, 3)))
    else:
        days = ",".join(r.sample(ORDINALS, r.randint(1, 3))) + " " + ",".join(r.sample(DAYS, r.randint(1, 2)))
    begin = clock(r)
    end = clock(r)
    while end == begin:
        end = r.randrange(24 * 60 + 1)
    text = f"{days} {spelt(begin)}-{spelt(end)}"
    if r.random() < 0.3:
        first = date(year, 1, 1) + timedelta(r.randrange(365))
        text += f" except {first}..{first + timedelta(r.randrange(30))},{first + timedelta(r.randrange(90))}"
    return text


def make(count, seed):
    r = random.Random(seed)
    for _ in range(count):
        year = r.randrange(2025, 2035)
        start = datetime(year, r.choice([3, 4, 10, 11, r.randint(1, 12)]), 1, tzinfo=timezone.utc)
        begin = int(start.timestamp()) + r.randrange(-20 * 86400, 20 * 86400)
        length = r.choice([r.randrange(1, 3 * 86400), r.randrange(86400, 60 * 86400), r.randrange(86400, 200 * 86400)])
        if r.random() < 0.002:
            length = 10 * 365 * 86400
        print(r.choice(ZONES), begin, begin + length, rule(r, year), sep="\t")


@lru_cache(maxsize=None)
def zone_of(name):
    return ZoneInfo(name)


def offset(at, zone):
    return datetime.fromtimestamp(at, zone).utcoffset()


# The first instant at which the clocks show that time or a later one.
@lru_cache(maxsize=1 << 20)
def instant(local, name):
    zone = zone_of(name)
    at = int(local.replace(tzinfo=zone, fold=0).timestamp())
    if datetime.fromtimestamp(at, zone).replace(tzinfo=None) == local:
        return at
    low, high = int(local.replace(tzinfo=zone, fold=1).timestamp()), at
    before = offset(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle, zone) == before else (low, middle)
    return high


def minutes_of(text):
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute or 0)


def chosen(days):
    """Tells of a date whether the words mean it."""
    words = days.split()
    weekdays = set()
    named = {"daily": range(7), "weekdays": range(5), "weekends": (5, 6)}
    for word in words[-1].split(","):
        if word in named:
            weekdays.update(named[word])
        elif word in DAYS:
            weekdays.add(DAYS.index(word))
        elif word.split("-")[0] in DAYS:
            first, last = (DAYS.index(w) for w in word.split("-"))
            weekdays.update((first + i) % 7 for i in range((last - first) % 7 + 1))
    if len(words) == 1 and weekdays:
        return lambda day: day.weekday() in weekdays
    ordinals = words[0].split(",")

    def monthly(day):
        length = calendar.monthrange(day.year, day.month)[1]
        if len(words) == 1:
            return f"{day.day}{ending(day.day)}" in ordinals or ("last" in ordinals and day.day == length)
        same = [d for d in range(1, length + 1) if date(day.year, day.month, d).weekday() == day.weekday()]
        which = same.index(day.day)
        return day.weekday() in weekdays and (ORDINALS[which] in ordinals or ("last" in ordinals and which + 1 == len(same)))

    return monthly


def times(line):
    name, begin, end, text = line.rstrip("\n").split("\t")
    begin, end = int(begin), int(end)
    text, _, exceptions = text.partition(" except ")
    free = set()
    for one in filter(None, exceptions.split(",")):
        first, _, last = one.partition("..")
        day = date.fromisoformat(first)
        while day <= date.fromisoformat(last or first):
            free.add(day)
            day += timedelta(1)
    days, _, hours = text.rpartition(" ")
    start, stop = (minutes_of(w) for w in hours.split("-"))
    stop += 1440 if stop < start else 0
    wanted = chosen(days)
    day = datetime.fromtimestamp(begin, timezone.utc).date() - timedelta(4)
    spans = []
    while day <= datetime.fromtimestamp(end, timezone.utc).date() + timedelta(2):
        if wanted(day) and day not in free:
            midnight = datetime(day.year, day.month, day.day)
            a = max(begin, instant(midnight + timedelta(minutes=start), name))
            b = min(end, instant(midnight + timedelta(minutes=stop), name))
            if a < b:
                if spans and a <= spans[-1][1]:
                    spans[-1][1] = max(b, spans[-1][1])
                else:
                    spans.append([a, b])
        day += timedelta(1)
    return "refused" if len(spans) > MOST else " ".join(f"{a}-{b}" for a, b in spans)


if sys.argv[1] == "make":
    make(int(sys.argv[2]), int(sys.argv[3]))
else:
    for given in sys.stdin:
        print(times(given))
