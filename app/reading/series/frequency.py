"""How far apart the steps of a series are, and which times come next. NumPy only.

A frequency is an optional count and a unit, in pandas' spelling: ``15min``, ``h``, ``2W``.

========  ==========================================================================
``ms``    milliseconds
``s``     seconds
``min``   minutes
``h``     hours
``D``     days, weekends included
``B``     business days, Monday to Friday; holidays are not known
``W``     weeks, on the weekday of the last time
``MS``    months, on the day of the month of the last time (usually the first)
``ME``    months, on the last day of each
``QS``    quarters, on the day of the month of the last time
``QE``    quarters, on the last day of each
``YS``    years, on the day of the last time
``YE``    years, on the last day of the month of the last time
========  ==========================================================================

None stands for times without a regular step, and for series without times.
"""

import re

import numpy as np
import numpy.typing as npt

FREQUENCY_PATTERN = r"^([1-9]\d{0,3})?(ms|s|min|h|D|B|W|MS|ME|QS|QE|YS|YE)$"

Times = npt.NDArray[np.datetime64]  # datetime64[us]

MICROSECONDS = {
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "D": 86_400_000_000,
    "W": 7 * 86_400_000_000,
}
MONTHS = {"MS": 1, "ME": 1, "QS": 3, "QE": 3, "YS": 12, "YE": 12}

_DAY = np.timedelta64(1, "D")


def split_frequency(frequency: str) -> tuple[int, str]:
    """Returns count and unit of a frequency: ``15min`` is (15, "min").

    Raises:
        ValueError: it is not of the vocabulary above.
    """
    if not re.match(FREQUENCY_PATTERN, frequency):
        raise ValueError(
            f"{frequency!r} is not a frequency; write a unit (ms, s, min, h, D, B, W, MS, ME, QS, "
            "QE, YS, YE), with a count before it where it is not 1, as in 15min"
        )
    digits = re.match(r"\d*", frequency)
    count = digits.group() if digits else ""
    return int(count or 1), frequency[len(count) :]


def next_times(last: np.datetime64, frequency: str, steps: int) -> Times:
    """The ``steps`` times that follow ``last``, civil as it is.

    Args:
        last: the last known time of a series.
        frequency: of the vocabulary above.
        steps: how many, at least 0.

    Returns:
        datetime64[us] array, shape (steps,).

    Raises:
        ValueError: the frequency is not of the vocabulary.
    """
    count, unit = split_frequency(frequency)
    numbers = np.arange(1, steps + 1, dtype=np.int64) * count
    start = last.astype("datetime64[us]")
    if unit == "B":
        day = start.astype("datetime64[D]")
        # From a weekend the first step is the Monday: "preceding" rolls back before it counts.
        days = np.busday_offset(day, numbers, roll="preceding")
        business: Times = days.astype("datetime64[us]") + (start - day.astype("datetime64[us]"))
        return business
    if unit in MONTHS:
        return add_months(start, numbers * MONTHS[unit], to_end=unit.endswith("E"))
    evenly: Times = start + (numbers * MICROSECONDS[unit]).astype("timedelta64[us]")
    return evenly


def add_months(start: np.datetime64, months: npt.NDArray[np.int64], *, to_end: bool) -> Times:
    """Moves by calendar months: on the same day where the month has it, or on the month's last."""
    month = start.astype("datetime64[M]")
    day_in_month = (start.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    moved = month + months.astype("timedelta64[M]")
    lengths = month_lengths(moved)
    day = lengths - 1 if to_end else np.minimum(day_in_month, lengths - 1)
    time_of_day = start - start.astype("datetime64[D]").astype("datetime64[us]")
    days = moved.astype("datetime64[D]") + day.astype("timedelta64[D]")
    times: Times = days.astype("datetime64[us]") + time_of_day
    return times


def month_lengths(months: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Days in each of these months (datetime64[M])."""
    following = (months + np.timedelta64(1, "M")).astype("datetime64[D]")
    lengths: npt.NDArray[np.int64] = ((following - months.astype("datetime64[D]")) / _DAY).astype(
        np.int64
    )
    return lengths
