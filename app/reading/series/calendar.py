"""Describe when a series has rows, beyond its frequency: weekdays, trading hours, dates.

A calendar is written as text, in one of two forms:

- weekdays, with the times of the first and the last row of each session if there are any:
``Mon-Sat``, ``Sun-Thu``, ``Mon-Fri 09:30-16:00``, ``Mon-Fri 09:00-11:30,12:30-15:00`` or ``Sun
22:00-23:00; Mon-Thu 00:00-23:00; Fri 00:00-21:00``;
- days of the month: ``1, 16`` or ``15, last``.

Weekdays may be followed by dates without rows: ``Mon-Fri except 2024-12-25, 2025-01-01``, or by
``except none`` if there are none. Where neither is written, holidays are not known. The dates may
have the name of the calendar that they come from: ``Mon-Fri except XNYS: 2024-12-25, 2025-01-01``.

NumPy only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import groupby

import numpy as np
import numpy.typing as npt

from app.reading.arrays import Ints

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK_DAYS = 7
BUSINESS_DAYS = (0, 1, 2, 3, 4)
LAST_DAY = 31  # of any month, whatever its length

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_WEEK_US = WEEK_DAYS * DAY_US
_MONDAY_US = 4 * DAY_US  # 5 January 1970

_RULE = re.compile(r"(?P<days>[A-Z][A-Za-z, -]*)(?: (?P<sessions>\d[\d:, -]*))?")
_SESSION = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_MONTH_DAYS = re.compile(r"(\d{1,2}|last)(, ?(\d{1,2}|last))*")
EXCEPT = " except "
_NONE = "none"

Session = tuple[int, int]  # first and last row of a session, in microseconds since midnight


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Days of the week (Monday is 0) and their sessions; without sessions the whole day is open."""

    days: tuple[int, ...]
    sessions: tuple[Session, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The parsed form: either rules for weekdays or days of the month."""

    rules: tuple[Rule, ...] = ()
    month_days: tuple[int, ...] = ()
    closed: tuple[int, ...] | None = None  # days since 1970, ascending; None: not known
    closed_by: str = ""  # name of the calendar whose closed days they are, if it has one

    def __str__(self) -> str:
        if self.closed is None:
            return self.weekly
        dates = np.array(self.closed, dtype="datetime64[D]").astype(str)
        named = f"{self.closed_by}: " if self.closed_by else ""
        return self.weekly + EXCEPT + named + (", ".join(dates) or _NONE)

    @property
    def weekly(self) -> str:
        """The calendar as written, without closed days."""
        if self.month_days:
            return ", ".join("last" if day == LAST_DAY else str(day) for day in self.month_days)
        return "; ".join(_written(rule) for rule in self.rules)

    @property
    def title(self) -> str:
        """The calendar as written, with a name in place of the dates if they have one."""
        return self.weekly + EXCEPT + self.closed_by if self.closed_by else str(self)

    @property
    def weekdays(self) -> tuple[int, ...]:
        """The weekdays that have rows, Monday being 0, in ascending order."""
        return tuple(sorted(day for rule in self.rules for day in rule.days))


BUSINESS_WEEK = Calendar(rules=(Rule(days=BUSINESS_DAYS),))
EVERY_DAY = Calendar(rules=(Rule(days=tuple(range(WEEK_DAYS))),))


@lru_cache(maxsize=256)
def parse_calendar(text: str) -> Calendar:
    """Parse a calendar.

    Raises:
        ValueError: the text has neither of the two forms.
    """
    weekdays, written, closed = text.partition(EXCEPT)
    name, _, listed = closed.rpartition(":")
    if written and (dates := _dates(listed)) is not None:
        calendar = parse_calendar(weekdays)
        if calendar.rules and calendar.closed is None:
            return replace(calendar, closed=dates, closed_by=name.strip())
    if _MONTH_DAYS.fullmatch(text):
        days = [LAST_DAY if day == "last" else int(day) for day in re.split(", ?", text)]
        if days == sorted(set(days)) and days[0] >= 1 and days[-1] <= LAST_DAY:
            return Calendar(month_days=tuple(days))
    elif matches := [_RULE.fullmatch(part.strip()) for part in text.split(";")]:
        rules = [_rule(match) for match in matches if match is not None]
        days = [day for rule in rules for day in rule.days]
        if len(rules) == len(matches) and days and len(set(days)) == len(days):
            return Calendar(rules=tuple(rules))
    raise ValueError(
        f"{text!r} is not a calendar; write weekdays with or without sessions, as in Mon-Sat or "
        "Mon-Fri 09:30-16:00, and closed dates if there are any, as in Mon-Fri except 2024-12-25, "
        "2025-01-01; or days of the month, as in 1, 16"
    )


def slot_numbers(times: npt.NDArray[np.datetime64], calendar: Calendar, step: int) -> Ints:
    """Return how many slots of the calendar are at or before each time, from a fixed origin.

    Args:
        times: civil times, (rows,).
        calendar: when there are rows.
        step: microseconds between the rows of a session.
    """
    if calendar.month_days:
        months = times.astype("datetime64[M]")
        day = (times.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64) + 1
        passed = [_month_day(months, each) <= day for each in calendar.month_days]
        numbers: Ints = months.astype(np.int64) * len(passed) + np.sum(passed, axis=0)
        return numbers
    numbers = _week_numbers(times.astype("datetime64[us]").astype(np.int64), calendar, step)
    if not calendar.closed:
        return numbers
    return numbers - np.searchsorted(_closed_slots(calendar, step), numbers, side="right")


def slot_times(numbers: Ints, calendar: Calendar, step: int) -> npt.NDArray[np.datetime64]:
    """Return the times of slots, the inverse of `slot_numbers`; midnight if days have no times.

    Args:
        numbers: (slots,).
        calendar: when there are rows.
        step: microseconds between the rows of a session.
    """
    if calendar.month_days:
        count = len(calendar.month_days)
        months = ((numbers - 1) // count).astype("datetime64[M]")
        days = np.select(
            [(numbers - 1) % count == place for place in range(count)],
            [_month_day(months, each) for each in calendar.month_days],
        )
        dates = months.astype("datetime64[D]") + (days - 1).astype("timedelta64[D]")
        dated: npt.NDArray[np.datetime64] = dates.astype("datetime64[us]")
        return dated
    if calendar.closed:
        closed = _closed_slots(calendar, step)
        numbers = numbers + np.searchsorted(closed - np.arange(len(closed)), numbers, side="right")
    slots = _week_slots(calendar, step)
    week, place = np.divmod(numbers - 1, len(slots))
    times: npt.NDArray[np.datetime64] = (week * _WEEK_US + slots[place] + _MONDAY_US).astype(
        "datetime64[us]"
    )
    return times


def weekly_calendar(sessions_by_day: Sequence[tuple[Session, ...] | None]) -> Calendar:
    """Build a calendar from the sessions of Monday to Sunday; None for a day without rows."""
    open_days = [day for day in range(WEEK_DAYS) if sessions_by_day[day] is not None]
    by_sessions: dict[tuple[Session, ...], list[int]] = {}
    for day in open_days:
        by_sessions.setdefault(sessions_by_day[day] or (), []).append(day)
    rules = (Rule(days=tuple(days), sessions=own) for own, days in by_sessions.items())
    return Calendar(rules=tuple(rules))


def _week_numbers(micros: Ints, calendar: Calendar, step: int) -> Ints:
    """Return how many slots are at or before each time, those on closed dates included."""
    slots = _week_slots(calendar, step)
    week, within = np.divmod(micros - _MONDAY_US, _WEEK_US)
    return week * len(slots) + np.searchsorted(slots, within, side="right")


@lru_cache(maxsize=256)
def _closed_slots(calendar: Calendar, step: int) -> Ints:
    """Return the numbers of the slots on closed dates, (closed slots,), as of `_week_numbers`."""
    start = np.array(calendar.closed or (), dtype=np.int64) * DAY_US
    before = _week_numbers(start - 1, calendar, step)
    last = _week_numbers(start + DAY_US - 1, calendar, step)
    spans = [np.arange(first + 1, end + 1) for first, end in zip(before, last, strict=True)]
    return np.concatenate([np.empty(0, np.int64), *spans])


@lru_cache(maxsize=256)
def _week_slots(calendar: Calendar, step: int) -> Ints:
    """Return the slots of a week in microseconds since Monday, (slots,)."""
    slots = [
        day * DAY_US + time
        for rule in calendar.rules
        for day in rule.days
        for first, last in rule.sessions or ((0, DAY_US - 1),)
        for time in range(first, last + 1, step)
    ]
    return np.array(sorted(set(slots)), dtype=np.int64)


def _month_day(months: npt.NDArray[np.datetime64], day: int) -> Ints:
    """Return the day in each of these months, or the last day of shorter months."""
    following = (months + np.timedelta64(1, "M")).astype("datetime64[D]")
    lengths = (following - months.astype("datetime64[D]")).astype(np.int64)
    days: Ints = np.minimum(lengths, day)
    return days


def _dates(text: str) -> tuple[int, ...] | None:
    """Return the days since 1970 of ISO dates in ascending order; None if they are not that."""
    if text.strip() == _NONE:
        return ()
    try:
        days = [date.fromisoformat(part.strip()).toordinal() - _EPOCH for part in text.split(",")]
    except ValueError:
        return None
    return tuple(days) if days == sorted(set(days)) else None


def _rule(match: re.Match[str]) -> Rule:
    days: list[int] = []
    for part in match["days"].split(","):
        first, _, last = (word.strip().title() for word in part.partition("-"))
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            return Rule(days=())
        start, stop = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days += [(start + at) % WEEK_DAYS for at in range((stop - start) % WEEK_DAYS + 1)]
    sessions = []
    for part in filter(None, (match["sessions"] or "").split(",")):
        found = _SESSION.fullmatch(part.strip())
        if found is None:
            return Rule(days=())
        hour, minute, last_hour, last_minute = map(int, found.groups())
        start, stop = hour * 60 + minute, last_hour * 60 + last_minute
        if not start <= stop < DAY_US // MINUTE_US:
            return Rule(days=())
        sessions.append((start * MINUTE_US, stop * MINUTE_US))
    return Rule(days=tuple(days), sessions=tuple(sessions))


def _written(rule: Rule) -> str:
    spans = []
    ordered = sorted(rule.days)
    if ordered[0] == 0 and ordered[-1] == WEEK_DAYS - 1 and len(ordered) < WEEK_DAYS:
        # A working week from Sunday to Thursday starts after the gap.
        gap = next(day for day in range(WEEK_DAYS) if day not in ordered)
        ordered.sort(key=lambda day: (day < gap, day))
    keyed = enumerate(day if day >= ordered[0] else day + WEEK_DAYS for day in ordered)
    for _, run in groupby(keyed, key=lambda item: item[1] - item[0]):
        names = [WEEKDAYS[day % WEEK_DAYS] for _, day in run]
        spans.append(names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}")
    times = [f"{_clock(first)}-{_clock(last)}" for first, last in rule.sessions]
    return " ".join([",".join(spans), *([",".join(times)] if times else [])])


def _clock(micros: int) -> str:
    minutes = micros // MINUTE_US
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
