"""The step of a series, found from its times."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.reading.series.frequency import MICROSECONDS, MONTHS, Times, month_lengths

DAY_US = MICROSECONDS["D"]
_REGULAR = 0.8  # share of the steps that must be of the frequency
_SATURDAY = 5
_LATEST_START = 10  # days into a month that a row of it may come, where they do not come alike

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class FoundFrequency:
    """The step and how sure it is."""

    frequency: str | None
    reason: str


def find_frequency(times: Times, series: npt.NDArray[np.int32]) -> FoundFrequency:
    """Finds the step of sorted times, over all series of a file.

    Args:
        times: (rows,) civil, sorted within each series, none twice in one series.
        series: (rows,) the series of each row.
    """
    within = np.diff(series) == 0
    steps = np.diff(times).astype(np.int64)[within]
    if not len(steps):
        return FoundFrequency(frequency=None, reason="one row has no step")
    by_month = _monthly(times, steps, within)
    if by_month is not None:
        return by_month
    usual, share = _commonest(steps)
    weekend_free = _weekend_free(times)
    if usual == DAY_US and weekend_free and _spans_weeks(times):
        return FoundFrequency(frequency="B", reason="a row a day, none on a weekend")
    name = _name(usual)
    if name is None or share < _REGULAR * 0.6:
        reason = f"the commonest step makes up {share:.0%} of the steps"
        return FoundFrequency(frequency=None, reason=reason)
    return FoundFrequency(frequency=name, reason=f"{share:.0%} of the steps are of this length")


def evenly_spaced(times: Times, frequency: str) -> bool:
    """Whether all steps are of exactly this length; False for calendar frequencies."""
    count, unit = _split(frequency)
    if unit not in MICROSECONDS:
        return False
    return bool((np.diff(times.astype(np.int64)) == MICROSECONDS[unit] * count).all())


def within_day(frequency: str) -> bool:
    """Whether its steps are of hours or less, which a change of clocks does not lengthen."""
    _, unit = _split(frequency)
    return unit in {"ms", "s", "min", "h"}


def steps_between(times: Times, frequency: str) -> Ints:
    """How many steps lie between each time and the next, shape (rows - 1,); more than 1: a gap."""
    count, unit = _split(frequency)
    if unit == "B":
        days = times.astype("datetime64[D]")
        return np.diff(np.busday_count(np.datetime64("1900-01-01"), days) // count)
    if unit in MONTHS:
        return np.diff(times.astype("datetime64[M]").astype(np.int64) // (MONTHS[unit] * count))
    # Steps and not times are rounded: days at noon lie halfway, and half of them went either way.
    return np.rint(np.diff(times.astype(np.int64)) / (MICROSECONDS[unit] * count)).astype(np.int64)


def _split(frequency: str) -> tuple[int, str]:
    unit = frequency.lstrip("0123456789")
    return int(frequency[: len(frequency) - len(unit)] or 1), unit


def _commonest(numbers: Ints) -> tuple[int, float]:
    """The number that comes most often, and its share."""
    low, high = int(numbers.min()), int(numbers.max())
    if low == high:
        return low, 1.0
    ordered = np.sort(numbers)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(ordered) != 0]))
    counts = np.diff(np.concatenate([starts, [len(ordered)]]))
    best = int(np.argmax(counts))
    return int(ordered[starts[best]]), float(counts[best] / len(ordered))


def _monthly(times: Times, steps: Ints, within: npt.NDArray[np.bool_]) -> FoundFrequency | None:
    """Months, quarters and years: steps of equal months and unequal days."""
    if np.median(steps) < 27 * DAY_US:
        return None
    months: Ints = times.astype("datetime64[M]").astype(np.int64)
    usual, share = _commonest(np.diff(months)[within])
    if usual < 1 or share < _REGULAR:
        return None
    day = (times.astype("datetime64[D]") - times.astype("datetime64[M]")).astype(np.int64)
    # The last trading day of a month is not always its last day; up to 4 days short will do.
    ends = bool((day >= month_lengths(times.astype("datetime64[M]")) - 5).all())
    if not ends and len(np.unique(day)) > 1 and bool((day > _LATEST_START).any()):
        return None
    letter = "E" if ends else "S"
    for unit, size in (("Y", 12), ("Q", 3), ("M", 1)):
        if usual % size == 0:
            count = "" if usual == size else str(usual // size)
            reason = f"{share:.0%} of the steps are of {usual} month{'s' if usual > 1 else ''}"
            return FoundFrequency(frequency=f"{count}{unit}{letter}", reason=reason)
    return None


def _weekend_free(times: Times) -> bool:
    weekday = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7  # Monday is 0
    return not bool((weekday >= _SATURDAY).any())


def _spans_weeks(times: Times) -> bool:
    """Whether a weekend lies between the first and the last time."""
    first, last = times.min().astype("datetime64[D]"), times.max().astype("datetime64[D]")
    days = int((last - first).astype(np.int64)) + 1
    return days > int(np.busday_count(first, last + np.timedelta64(1, "D")))


def _name(step: int) -> str | None:
    for unit in ("W", "D", "h", "min", "s", "ms"):
        if step >= MICROSECONDS[unit] and step % MICROSECONDS[unit] == 0:
            count = step // MICROSECONDS[unit]
            return unit if count == 1 else f"{count}{unit}" if count < 10_000 else None  # noqa: PLR2004  the vocabulary's limit
    return None
