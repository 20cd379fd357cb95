"""Inputs that a version computes from the times of a history and of the steps ahead."""

import numpy as np

from app.artifact.manifest import SeriesInput
from app.predictions.histories.gaps import offsets_of, times_of
from app.predictions.loaded import Loaded
from app.predictions.times import Stamps
from app.reading.arrays import Times
from app.reading.calendar_inputs import PREFIX
from app.reading.series.closures import with_closed_days
from app.reading.series.frequency import next_times, times_from
from app.reading.series.grid import places

Columns = list[list[float]]


def calendar_columns(
    version: Loaded, stamps: Stamps | None, steps: int, warnings: list[str]
) -> tuple[Columns, Columns]:
    """Return the calendar inputs of a version's window, and of whole horizons ahead.

    Without times of the right frequency each has its usual value in all rows, so that it changes
    the forecast little; a warning says so.
    """
    described, horizon = version.manifest.series, version.manifest.horizon
    if described is None or described.frequency is None:
        return [], []
    window, ahead = version.reach.window, horizon * -(-steps // horizon)
    if stamps is None or not stamps.fits(described.frequency):
        names = [each.name.removeprefix(PREFIX) for each in described.calendar_columns]
        warnings.append(
            f"{version} computes {' and '.join(names)} from the times, and the history has "
            + (
                "no timestamps"
                if stamps is None
                else f"none of the frequency {described.frequency}"
            )
            + ": it is forecast as for an average day"
        )
        usual = [value for each in described.calendar_inputs for value in each.usual]
        return [[value] * window for value in usual], [[value] * ahead for value in usual]
    last = np.datetime64(stamps.moments[-1].replace(tzinfo=None), "us")
    following = next_times(last, described.frequency, ahead, described.grid_calendar)
    times = np.concatenate((_read(described, stamps, window), following))
    columns = np.concatenate([each.values(times) for each in described.calendar_columns], axis=1)
    every = columns.T  # (columns, window and steps)
    return every[:, :window].tolist(), every[:, window:].tolist()


def _read(described: SeriesInput, stamps: Stamps, window: int) -> Times:
    """Return the times of the rows that a version reads, on the grid of its frequency, (window,).

    Rows before the history, and those missing in it, get the times that they would have.
    """
    frequency = described.frequency or ""
    moments = stamps.moments[-window:]
    times = times_of(moments)
    calendar = with_closed_days(times, frequency, described.grid_calendar)
    steps = places(times, offsets_of(moments), frequency=frequency, calendar=calendar)
    # (rows,), counted back from the last row of the window, which is 0
    at = np.cumsum(np.maximum(np.append(steps, 0), 1)[::-1])[::-1] * -1 + 1
    found = times_from(times[-1], frequency, np.arange(1 - window, 1), calendar)
    inside = at > -window
    found[at[inside] + window - 1] = times[inside]
    return found
