"""Put the history of any series on the grid of its own frequency."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.forecasting.frequencies import SEASONS_TOLD, Periods, periods_of
from app.predictions.histories.gaps import offsets_of, times_of
from app.predictions.times import Stamps
from app.reading.series.closures import with_closed_days
from app.reading.series.frequency_finder import find_frequency
from app.reading.series.grid import MOST_MISSING_PER_ROW, places

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

REMEMBERED_GRIDS = 64
LEAST_SCORE = 0.5  # of a frequency: the share of its steps that have a row


class History(NamedTuple):
    """The newest values of a series, one for each step."""

    values: Floats  # (steps,), NaN where one is missing
    known: int  # values that are not missing
    frequency: str | None
    calendar: str | None
    periods: Periods | None  # of its seasons; None: to be found in the values
    warnings: tuple[str, ...]


class Grid(NamedTuple):
    """The steps of a history's times."""

    frequency: str | None
    calendar: str | None
    periods: Periods | None
    at: Ids | None  # (values,), the step of each value that is read; None: one after the other
    warnings: tuple[str, ...]


def read_history(values: Sequence[float], stamps: Stamps | None, *, window: int) -> History:
    """Return what is read of a history: its last steps, at most as many as the window has."""
    newest = np.array(values[-window:])
    if stamps is None:
        return History(newest, len(newest), None, None, None, ())
    moments = tuple(stamps.moments[-window:])
    zones = tuple(moment.utcoffset() for moment in moments) if stamps.form == "zoned" else ()
    found = _grid_of(moments, zones, window)
    told = found.frequency, found.calendar, found.periods, found.warnings
    if found.at is None:
        return History(newest, len(newest), *told)
    values_on_grid = np.full(int(found.at[-1]) + 1, np.nan)
    values_on_grid[found.at] = newest[-len(found.at) :]
    return History(values_on_grid, len(found.at), *told)


@lru_cache(REMEMBERED_GRIDS)
def _grid_of(
    moments: tuple[datetime, ...], zones: tuple[timedelta | None, ...], window: int
) -> Grid:
    """Return the steps of some times; many series of a request usually have the same times.

    Args:
        moments: the times.
        zones: their distances from UTC, as equal instants may be of different zones.
        window: most steps that are read.
    """
    del zones  # they are part of what is remembered by
    found = find_frequency(_comparable(moments), np.zeros(len(moments), np.int32))
    if found.frequency is None or found.score < LEAST_SCORE:
        warning = (
            f"the timestamps have no regular step ({found.reason}): they are not continued, and "
            "the values are forecast as if they were evenly spaced"
        )
        return Grid(None, None, None, None, (warning,))
    frequency, calendar = found.frequency, found.calendar
    periods = periods_of(frequency, calendar, longest=window // SEASONS_TOLD)
    whole = Grid(frequency, calendar, periods, None, ())
    times = times_of(moments)
    closed = with_closed_days(times, frequency, calendar)
    steps = places(times, offsets_of(moments), frequency=frequency, calendar=closed)
    at = np.concatenate(([0], np.cumsum(np.maximum(steps, 1))))  # (rows,), on the grid
    missing = int(at[-1]) + 1 - len(at)
    if not missing:
        return whole
    if missing > MOST_MISSING_PER_ROW * len(at):
        warning = (
            f"the timestamps leave out {missing:,} steps of their frequency, {frequency}, more "
            f"than {MOST_MISSING_PER_ROW} for each value: the values are forecast as if they were "
            "evenly spaced"
        )
        return whole._replace(warnings=(warning,))
    seen = at > at[-1] - window
    at = at[seen] - at[seen][0]
    missing = int(at[-1]) + 1 - len(at)
    return whole._replace(at=at, warnings=(_told(missing, frequency),) if missing else ())


def _comparable(moments: Sequence[datetime]) -> NDArray[np.datetime64]:
    """Return civil times; of zoned ones whose clocks change, the instants."""
    zoned = moments[0].utcoffset() is not None
    if zoned and len({moment.utcoffset() for moment in moments}) > 1:
        moments = [moment.astimezone(UTC) for moment in moments]
    return times_of(moments)


def _told(missing: int, frequency: str) -> str:
    return (
        f"{missing:,} step{'s' * (missing > 1)} of the history, whose frequency is {frequency}, "
        f"{'are' if missing > 1 else 'is'} missing and {'were' if missing > 1 else 'was'} left open"
    )
