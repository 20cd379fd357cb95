"""Compute days since 1970 and times of day from years, months, weeks, hours and the like."""

import numpy as np

from app.reading.arrays import Bools, Floats, Ints

DAY_US = 86_400_000_000
EXCEL_EPOCH = np.datetime64("1899-12-30", "D").astype(np.int64)  # of its "1900" date system
PIVOT = 69  # two-digit years: 69 to 99 are 19xx, 00 to 68 are 20xx, as in POSIX
BUDDHIST = (2430, 2650)  # years of the Thai calendar, 543 ahead of ours
BUDDHIST_LEAD = 543
# The months of each part of a year, and how many parts a year has.
_MONTHS_OF = {"year": (12, 1), "half": (6, 2), "quarter": (3, 4), "month": (1, 12)}


def days_of(years: Ints, months: Ints, days: Ints) -> tuple[Ints, Bools]:
    """Return days since 1970 of calendar dates, and which of the dates exist."""
    valid = (months >= 1) & (months <= 12) & (years >= 1000)
    index = np.where(valid, (years - 1970) * 12 + months - 1, 0)
    first = int(index.min(initial=0))
    starts = np.arange(first, int(index.max(initial=0)) + 2).astype("datetime64[M]")
    start_days = starts.astype("datetime64[D]").astype(np.int64)  # of every month of the span
    begin = start_days[index - first]
    valid &= (days >= 1) & (days <= start_days[index - first + 1] - begin)
    return begin + days - 1, valid


def days_of_part(
    years: Ints, part: str, number: Ints, day: Ints | None = None
) -> tuple[Ints, Bools]:
    """Return days since 1970 of parts of years, and which of them may exist.

    Args:
        years: (rows,).
        part: year, half, quarter, month, week (as in ISO 8601) or yearday.
        number: of the part in its year, from 1.
        day: of the month or the week, from 1; left out: the first.
    """
    ones = np.ones(len(years), dtype=np.int64)
    if part == "week":
        fourth, valid = days_of(years, ones, ones * 4)  # 4 January is always in ISO week 1
        weekday = ones if day is None else day
        valid &= (number >= 1) & (number <= 53) & (weekday >= 1) & (weekday <= 7)
        return fourth - (fourth + 3) % 7 + (number - 1) * 7 + weekday - 1, valid
    if part == "yearday":
        start, valid = days_of(years, ones, ones)
        return start + number - 1, valid & (number >= 1) & (number <= 366)
    months, most = _MONTHS_OF[part]
    days, valid = days_of(years, (number - 1) * months + 1, ones if day is None else day)
    return days, valid & (number >= 1) & (number <= most)


def clock_of(hours: Ints, minutes: Ints, seconds: Ints) -> Ints:
    """Return microseconds since midnight."""
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000


def full_years(numbers: Ints, digits: int, *, buddhist: bool = False) -> Ints:
    """Add the century to two-digit years, and convert years of the Buddhist calendar."""
    if digits <= 2:
        return np.where(numbers < PIVOT, numbers + 2000, numbers + 1900)
    ahead = is_buddhist(numbers)
    return (
        np.where(ahead, numbers - BUDDHIST_LEAD, numbers) if buddhist and ahead.any() else numbers
    )


def is_buddhist(years: Ints | Floats) -> Bools:
    """Return which years can only be those of the Buddhist calendar."""
    if years.max(initial=0) < BUDDHIST[0]:  # nearly always
        return np.zeros(len(years), dtype=bool)
    found: Bools = (years >= BUDDHIST[0]) & (years <= BUDDHIST[1])
    return found


def order_share(days: Ints | Floats) -> float:
    """Return how steadily times run in one direction: 1 always, 0.5 as often back as forth."""
    steps = np.diff(days)
    forth, back = int((steps > 0).sum()), int((steps < 0).sum())
    return max(forth, back) / (forth + back) if forth + back else 1.0


def unix_micros(numbers: Floats) -> Ints:
    """Return microseconds since 1970 of Unix times; their size shows whether s, ms, µs or ns."""
    size = np.abs(numbers)
    factor = np.select([size < 1e11, size < 1e14, size < 1e17], [1e6, 1e3, 1.0], default=1e-3)
    micros: Ints = np.rint(numbers * factor).astype(np.int64)
    return micros
