"""Learn the step and the calendar of a series from its times.

Every way in which times may repeat is a candidate with a score: the share of its slots that have a
row, times the share of rows that are on its slots. The best candidate is chosen.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.reading.arrays import Bools, Codes, Ints, Times
from app.reading.series.calendar import (
    BUSINESS_DAYS,
    DAY_US,
    LAST_DAY,
    MINUTE_US,
    WEEK_DAYS,
    Calendar,
    Rule,
    Session,
    weekly_calendar,
)
from app.reading.series.frequency import MICROSECONDS, month_lengths

_COMMON = 0.48  # minimum share of the most common step
_MONTHLY = 0.8  # minimum share of steps with the same number of months
_LATEST_START = 10  # days of the month within which rows may vary
_OPEN = 0.2  # a weekday with fewer rows than this share of the fullest one is closed
_EXCEPTIONS = 0.02  # share of rows that may be outside the calendar
_LEAD = 0.05  # by how much better a narrower calendar must fill its slots than a wider one
# trading hours are learned from the end, because in UTC they move with summer time
_RECENT_DAYS = 42
_MOST_SESSIONS = 4  # per day; more are gaps
_LONGEST_SCORED = 1_000_000  # times at the end of a long file that are examined
_HALF_MONTH_US = 15.2 * DAY_US
_MOST_COUNT = 9_999  # counts that a frequency may have before its unit


@dataclass(frozen=True, kw_only=True)
class FoundFrequency:
    """The step, and how well it fits."""

    frequency: str | None
    reason: str
    calendar: str | None = None
    score: float = 0.0  # 1: every slot has a row, and every row is on a slot
    exceptions: int = 0  # rows outside the calendar


def find_frequency(times: Times, series: Codes) -> FoundFrequency:
    """Find the step of sorted times, over all series of a file.

    Args:
        times: (rows,) civil, sorted within each series, distinct within each series.
        series: (rows,) the series of each row.
    """
    within = np.diff(series) == 0
    steps = np.diff(times).astype(np.int64)[within]
    if not len(steps):
        return FoundFrequency(frequency=None, reason="a single row has no step")
    usual, share = _commonest(steps)
    even = _fixed_step(steps, usual, share)
    if share == 1 and usual % DAY_US and even is not None:
        return even  # day and night without a gap
    found = [*_monthly(times, steps, within), *_half_monthly(times, steps)]
    found += [*_daily(times, series, steps), *_sessions(times, series, usual)]
    found += [even] if even is not None else []
    if not found:
        reason = f"the most common step makes up only {share:.0%} of the steps"
        return FoundFrequency(frequency=None, reason=reason)
    return max(found, key=lambda entry: entry.score)


def _commonest(numbers: Ints) -> tuple[int, float]:
    """Return the most common number and its share."""
    low, high = int(numbers.min()), int(numbers.max())
    if low == high:
        return low, 1.0
    values, counts = np.unique(numbers, return_counts=True)
    best = int(np.argmax(counts))
    return int(values[best]), float(counts[best] / len(numbers))


def _fixed_step(steps: Ints, usual: int, share: float) -> FoundFrequency | None:
    name = _name(usual)
    if name is None or share < _COMMON:
        return None
    filled = min(usual * len(steps) / int(steps.sum()), 1.0)
    reason = f"{share:.0%} of the steps are of this length"
    return FoundFrequency(frequency=name, reason=reason, score=filled * share)


def _monthly(times: Times, steps: Ints, within: Bools) -> Iterator[FoundFrequency]:
    """Find months, quarters and years: steps with equal months and unequal days."""
    if np.median(steps) < 27 * DAY_US:
        return
    months: Ints = times.astype("datetime64[M]").astype(np.int64)
    month_steps = np.diff(months)[within]
    usual, share = _commonest(month_steps)
    if usual < 1 or share < _MONTHLY:
        return
    day = (times.astype("datetime64[D]") - times.astype("datetime64[M]")).astype(np.int64)
    # The last trading day of a month is not always its last day; up to 4 days earlier is allowed.
    ends = bool((day >= month_lengths(times.astype("datetime64[M]")) - 5).all())
    if not ends and len(np.unique(day)) > 1 and bool((day > _LATEST_START).any()):
        return
    filled = min(usual * len(steps) / int(month_steps.sum()), 1.0)
    for unit, size in (("Y", 12), ("Q", 3), ("M", 1)):
        if usual % size == 0:
            count = "" if usual == size else str(usual // size)
            reason = f"{share:.0%} of the steps are of {usual} month{'s' if usual > 1 else ''}"
            name = f"{count}{unit}{'E' if ends else 'S'}"
            yield FoundFrequency(frequency=name, reason=reason, score=filled * share)
            return


def _half_monthly(times: Times, steps: Ints) -> Iterator[FoundFrequency]:
    """Find two rows per month, always on the same two days."""
    if not 13 * DAY_US <= np.median(steps) <= 18 * DAY_US:
        return
    months = times.astype("datetime64[M]")
    day = (times.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64) + 1
    day = np.where(day == month_lengths(months), LAST_DAY, day)
    days, counts = np.unique(day, return_counts=True)
    pair = sorted(int(each) for each in days[np.argsort(-counts, kind="stable")[:2]])
    on_slots = float(np.isin(day, pair).mean())
    if len(pair) == 2 and on_slots >= 1 - _EXCEPTIONS:  # two days
        name = "SME" if pair[1] == LAST_DAY else "SMS"
        calendar = str(Calendar(month_days=tuple(pair)))
        filled = min(_HALF_MONTH_US * len(steps) / int(steps.sum()), 1.0)
        yield FoundFrequency(
            frequency=name,
            calendar=calendar,
            reason=f"{on_slots:.0%} of the rows fall on these days of the month: {calendar}",
            score=on_slots * filled,
            exceptions=int((~np.isin(day, pair)).sum()),
        )


def _daily(times: Times, series: Codes, steps: Ints) -> Iterator[FoundFrequency]:
    """Find a row per day, on every day or on some days of the week."""
    if steps.min() < DAY_US or bool((steps % DAY_US).any()):
        return
    days: Ints = times.astype("datetime64[D]").astype(np.int64)
    counts = np.bincount(_weekday(days), minlength=WEEK_DAYS)
    starts, ends = _bounds(series)
    spans = [(int(days[start]), int(days[end])) for start, end in zip(starts, ends, strict=True)]
    for closed_below in (_OPEN, 0.0):
        open_days = np.flatnonzero(counts > closed_below * counts.max())
        slots = sum(_days_within(low, high, open_days) for low, high in spans)
        exceptions = len(days) - int(counts[open_days].sum())
        score = (len(days) - exceptions) / slots * (1 - exceptions / len(days))
        if exceptions > _EXCEPTIONS * len(days) or not _was_closed(spans, open_days):
            continue
        yield _weekdays(tuple(int(day) for day in open_days), score, exceptions)
    every = sum(high - low + 1 for low, high in spans)
    if len(days) / every >= _COMMON:
        reason = f"{len(days) / every:.0%} of the days have a row"
        yield FoundFrequency(frequency="D", reason=reason, score=len(days) / every + _LEAD)


def _weekdays(open_days: tuple[int, ...], score: float, exceptions: int) -> FoundFrequency:
    calendar = str(Calendar(rules=(Rule(days=open_days),)))
    beside = f", apart from {exceptions} rows" if exceptions else ""
    if open_days == BUSINESS_DAYS:
        reason = f"a row a day, none on a weekend{beside}"
        return FoundFrequency(frequency="B", reason=reason, score=score, exceptions=exceptions)
    reason = f"the rows fall on {calendar}{beside}"
    return FoundFrequency(
        frequency="C", calendar=calendar, reason=reason, score=score, exceptions=exceptions
    )


def _was_closed(spans: list[tuple[int, int]], open_days: Ints) -> bool:
    """Return whether days without rows are enough evidence: one weekend, or another day twice."""
    closed = [day for day in range(WEEK_DAYS) if day not in open_days]
    if not closed or len(open_days) < 2:  # one day per week is a week
        return False
    chances = [
        max(_days_within(low, high, np.array([day])) for low, high in spans) for day in closed
    ]
    weekend = tuple(open_days) == BUSINESS_DAYS
    return sum(chances) >= 1 if weekend else min(chances) > 1


def _days_within(low: int, high: int, weekdays: Ints) -> int:
    """Return how many days from `low` to `high` are of these weekdays."""
    weeks, rest = divmod(high - low + 1, WEEK_DAYS)
    tail = _weekday(np.arange(low, low + rest))
    return weeks * len(weekdays) + int(np.isin(tail, weekdays).sum())


def _sessions(times: Times, series: Codes, step: int) -> Iterator[FoundFrequency]:
    """Find rows within the day that follow weekdays and hours."""
    if not 0 < step < DAY_US or DAY_US % step or step % MINUTE_US or _name(step) is None:
        return
    micros = times.astype(np.int64)[-_LONGEST_SCORED:]
    phase, _ = _commonest(micros % step)
    if phase % MINUTE_US:
        return
    slot = micros // step  # counted from 1970, a Thursday
    per_day = DAY_US // step
    recent = slot > slot.max() - _RECENT_DAYS * per_day
    of_series = series[-_LONGEST_SCORED:].astype(np.int64) * 2**32
    present = np.unique((of_series + slot // per_day)[recent]) % 2**32
    day_counts = np.bincount(_weekday(present), minlength=WEEK_DAYS)
    counts = _week_counts(slot[recent], per_day)
    chances = _week_counts(np.arange(slot[recent].min(), slot.max() + 1), per_day)
    open_slots = _open_slots(counts, chances, day_counts)
    if open_slots is None or open_slots.all():
        return
    calendar = _calendar_of(open_slots, step, phase)
    on_slots = open_slots[_weekday(slot // per_day), slot % per_day]
    exceptions = int((~on_slots).sum())
    if calendar is None or exceptions > _EXCEPTIONS * len(slot):
        return
    all_days = np.unique(of_series + slot // per_day) % 2**32
    slots = int(open_slots.sum(axis=1)[_weekday(all_days)].sum())
    filled, share = min(float(on_slots.sum()) / slots, 1.0), float(on_slots.mean())
    yield FoundFrequency(
        frequency=_name(step),
        calendar=calendar,
        reason=f"{share:.0%} of the rows keep to {calendar}, and fill {filled:.0%} of it",
        score=filled * share - _LEAD,
        exceptions=exceptions,
    )


def _weekday(days: Ints) -> Ints:
    return (days + 3) % WEEK_DAYS  # Monday is 0


def _week_counts(slots: Ints, per_day: int) -> Ints:
    """Count these slots by weekday and time of day, (weekdays, slots of a day)."""
    of_week = _weekday(slots // per_day) * per_day + slots % per_day
    return np.bincount(of_week, minlength=WEEK_DAYS * per_day).reshape(WEEK_DAYS, per_day)


def _open_slots(counts: Ints, chances: Ints, day_counts: Ints) -> Bools | None:
    """Find the open weekdays and times of day; None if closed hours did not occur twice.

    Args:
        counts: rows on each weekday and time of day, (weekdays, slots of a day).
        chances: how often each occurred between the first and the last row, of the same shape.
        day_counts: the days with rows by weekday, over all series.
    """
    is_open = day_counts > _OPEN * day_counts.max()
    wanted = np.minimum(chances, day_counts[:, None])
    hours = counts[is_open].sum(axis=0) * 2 >= np.maximum(wanted[is_open].sum(axis=0), 1)
    if bool((chances.sum(axis=0)[~hours] < 2).any()):  # a single time is a gap
        return None
    came_by = chances.max(axis=1)
    business = np.isin(np.arange(WEEK_DAYS), BUSINESS_DAYS)
    working = not hours.all() and not is_open[~business].any()
    # A day that did not occur is like the others, and a weekend like that of a market.
    unseen = (came_by < np.where(business, 2, 1)) & ~is_open & (business | ~np.array(working))
    open_slots = np.where(chances >= 2, (counts > 0) & (counts * 2 >= wanted), hours)
    open_slots[~is_open] = False
    open_slots[unseen] = hours
    return open_slots


def _calendar_of(open_slots: Bools, step: int, phase: int) -> str | None:
    """Return the calendar of open slots, (weekdays, slots of a day); None: too irregular."""
    by_day: list[tuple[Session, ...] | None] = []
    for row in open_slots:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]])))
        runs = edges.reshape(-1, 2)  # (sessions, first slot and the one behind the last)
        if len(runs) > _MOST_SESSIONS:
            return None
        sessions = [
            (int(first) * step + phase, int(stop - 1) * step + phase) for first, stop in runs
        ]
        whole = row.all() and phase == 0
        by_day.append(None if not len(runs) else () if whole else tuple(sessions))
    calendar = weekly_calendar(by_day)
    return str(calendar) if calendar.rules else None


def _bounds(series: Codes) -> tuple[Ints, Ints]:
    """Return the first and the last row of each series."""
    edges = np.flatnonzero(np.diff(series)) + 1
    return np.concatenate([[0], edges]), np.concatenate([edges, [len(series)]]) - 1


def _name(step: int) -> str | None:
    for unit in ("W", "D", "h", "min", "s", "ms"):
        if step >= MICROSECONDS[unit] and step % MICROSECONDS[unit] == 0:
            count = step // MICROSECONDS[unit]
            return unit if count == 1 else f"{count}{unit}" if count <= _MOST_COUNT else None
    return None
