"""Put a history on its version's frequency: missing steps are filled, or reported as an error."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.errors import Unprocessable
from app.forecasting.histories import Reach
from app.predictions.loaded import Loaded
from app.predictions.times import EPOCH, Stamps
from app.reading.arrays import Times
from app.reading.series.calendar import Calendar, parse_calendar
from app.reading.series.closures import LONGEST_CLOSURE, most_closed, with_closed_days
from app.reading.series.frequency import next_times, steps_between
from app.reading.series.grid import places

Ids = NDArray[np.int64]

BUSINESS_WEEK = 5  # days


def without_gaps(
    version: Loaded, columns: list[list[float]], stamps: Stamps, warnings: list[str]
) -> list[list[float]]:
    """Return columns with a value for each step of the version's frequency.

    Args:
        version: knows the frequency, the calendar, and how long a hole may be; older versions fill
            none.
        columns: (features, rows), oldest first.
        stamps: the times of the rows.
        warnings: what was filled is added to them.

    Raises:
        Unprocessable: a hole within the window is longer than the version fills.
    """
    described, reach = version.manifest.series, version.reach
    if described is None or described.frequency is None or not reach.longest_hole:
        return columns
    moments = stamps.moments[-reach.window :]
    if _is_even(moments, described.frequency, described.grid_calendar) or not stamps.fits(
        described.frequency
    ):
        return columns
    times = times_of(moments)
    calendar = with_closed_days(times, described.frequency, described.grid_calendar)
    steps = places(
        times, offsets_of(moments), frequency=described.frequency, calendar=calendar
    ).reshape(-1)
    if not (steps > 1).any():
        return columns
    at = np.concatenate(([0], np.cumsum(np.maximum(steps, 1))))  # (rows,), on the grid
    # Rows older than the window are not read, so neither are the holes between them.
    seen = at > at[-1] - reach.window
    at, moments, steps = at[seen] - at[seen][0], moments[-int(seen.sum()) :], steps[seen[:-1]]
    _check_holes(version, reach, moments, steps)
    if described.closed_on_grid:  # closed days are filled, too, but nobody need be told of them
        times = times_of(moments)
        calendar = with_closed_days(times, described.frequency, described.calendar)
        steps = steps_between(times, described.frequency, calendar)
    told = _told(moments, steps, described.frequency, calendar)
    if told:
        warnings.append(told)
    return [_on_grid(column[-len(at) :], at, reach) for column in columns]


def _is_even(moments: Sequence[datetime], frequency: str, calendar: str | None) -> bool:
    """Return whether no row is missing between the first and the last, if that is seen at once.

    So it is with most histories, and told without looking at each row's place on a grid.
    """
    if len(moments) < 3:
        return True
    first, last = moments[0], moments[-1]
    if frequency == "B":
        apart = _business_day(last) - _business_day(first)
        absent = apart - _closed_between(first, last, calendar) - (len(moments) - 1)
        return absent == 0 or (calendar is None and _were_closed(moments, absent, apart + 1))
    if frequency in {"MS", "ME"}:
        months = 12 * (last.year - first.year) + last.month - first.month
        return months == len(moments) - 1
    step = min(moments[1] - first, last - moments[-2])
    return last - first == (len(moments) - 1) * step


def _business_day(moment: datetime) -> int:
    """Return how many business days lie before a day, from year 1 on, which begins on a Monday."""
    weeks, weekday = divmod(moment.toordinal() - 1, BUSINESS_WEEK + 2)
    return BUSINESS_WEEK * weeks + min(weekday, BUSINESS_WEEK)


def _closed_between(first: datetime, last: datetime, calendar: str | None) -> int:
    """Return how many dates that a calendar lists as closed lie between two days."""
    closed = None if calendar is None else parse_calendar(calendar).closed
    if not closed:
        return 0
    ends = (each.toordinal() - EPOCH for each in (first, last))
    before, until = (bisect_right(closed, end) for end in ends)
    return until - before


def _were_closed(moments: Sequence[datetime], absent: int, weekdays: int) -> bool:
    """Return whether the absent business days pass for closed, as in `app.reading.series.closures`.

    Most histories of prices have holidays, and this is faster than to look at their grid.
    """
    if not 0 < absent <= most_closed(weekdays):
        return False
    days = [_business_day(moment) for moment in moments]
    longest = max(later - earlier for earlier, later in pairwise(days)) - 1
    return longest <= LONGEST_CLOSURE


def times_of(moments: Sequence[datetime]) -> Times:
    """Return the civil times, (rows,)."""
    return np.array([each.replace(tzinfo=None) for each in moments], dtype="datetime64[us]")


def offsets_of(moments: Sequence[datetime]) -> NDArray[np.int16] | None:
    """Return the minutes east of UTC, (rows,); None for times without a zone."""
    zones = [each.utcoffset() for each in moments]
    if zones[0] is None:
        return None
    seconds = [0.0 if zone is None else zone.total_seconds() for zone in zones]
    return np.array([second // 60 for second in seconds], dtype=np.int16)


def _on_grid(column: list[float], at: Ids, reach: Reach) -> list[float]:
    grid = np.full(int(at[-1]) + 1, np.nan)
    grid[at] = column
    read: list[float] = reach.read(grid).tolist()
    return read


def _check_holes(
    version: Loaded,
    reach: Reach,
    moments: Sequence[datetime],
    steps: Ids,
) -> None:
    longest = int(steps.argmax())
    missing = int(steps[longest]) - 1
    if missing > reach.longest_hole:
        raise Unprocessable.at(
            "timestamps",
            f"{missing} steps are missing between {moments[longest].isoformat()} and "
            f"{moments[longest + 1].isoformat()}; {version} fills at most {reach.longest_hole} in "
            f"the {reach.window} steps that it reads: send the missing values, or a history that "
            f"begins after the hole and has at least {reach.least}",
        )


def _told(
    moments: Sequence[datetime],
    steps: Ids,
    frequency: str,
    calendar: Calendar | None,
) -> str:
    """Return what was filled, as a warning, or nothing."""
    count = int((np.maximum(steps, 1) - 1).sum())
    if not count:
        return ""
    longest = int(steps.argmax())
    length = int(steps[longest]) - 1
    before = np.datetime64(moments[longest].replace(tzinfo=None), "us")
    first, *_, last = [*next_times(before, frequency, length, calendar).astype(str)] * 2
    which = first[:19] if length == 1 else f"{first[:19]} to {last[:19]}"
    more = "" if count == length else f", {count} in all"
    return (
        f"{length} missing step{'s' * (length > 1)} of the history ({which}{more}) "
        f"{'were' if count > 1 else 'was'} filled by its season and a line between its neighbors"
    )
