"""Put rows on the grid of their frequency: times without a row get one of missing values.

Days on which the series was closed are not on the grid; see `app.reading.series.closures`.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.reading.arrays import Ints, Times
from app.reading.content import SeriesContent
from app.reading.series.calendar import Calendar
from app.reading.series.closures import with_closed_days
from app.reading.series.frequency import is_within_day, next_times, steps_between

# A file with more than this many missing rows for each row it has is left as it is: either one time
# is wrong, or most of the grid is closed time that no calendar describes.
MOST_MISSING_PER_ROW = 10


def gridded(content: SeriesContent) -> SeriesContent:
    """Return the content with a row for every step of its frequency, NaN where the file has none.

    Content without a frequency, without gaps, or with far too many gaps is returned as it is.
    """
    if content.times is None or content.frequency is None or len(content) < 2:
        return content
    calendar = with_closed_days(content.times, content.frequency, content.calendar)
    steps = places(content.times, content.offsets, frequency=content.frequency, calendar=calendar)
    steps = np.where(np.diff(content.series) == 0, np.maximum(steps, 1), 1)
    at = np.concatenate(([0], np.cumsum(steps)))  # (rows,), positions in the grid
    rows = int(at[-1]) + 1
    if rows == len(content) or rows - len(content) > MOST_MISSING_PER_ROW * len(content):
        return content
    # (grid rows,), the row at or before each step
    source = np.searchsorted(at, np.arange(rows), side="right") - 1
    values = np.full((rows, content.values.shape[1]), np.nan)
    values[at] = content.values
    return replace(
        content,
        values=values,
        times=_times(content, at, source, calendar),
        offsets=None if content.offsets is None else content.offsets[source],
        series=content.series[source],
    )


def places(
    times: Times,
    offsets: npt.NDArray[np.int16] | None,
    *,
    frequency: str,
    calendar: Calendar | str | None,
) -> Ints:
    """Return the steps of a frequency from each time to the next, (rows - 1,).

    Zoned times within a day are counted as instants, so that clock changes do not matter.
    """
    if offsets is not None and calendar is None and is_within_day(frequency):
        times = times - offsets.astype("timedelta64[m]")
    return steps_between(times, frequency, calendar)


def _times(content: SeriesContent, at: Ints, source: Ints, calendar: Calendar | None) -> Times:
    """Return the times of the grid (grid rows,): the file's own, filled in where it has none."""
    if content.times is None or content.frequency is None:
        raise ValueError("a grid takes times and a frequency")
    times = content.times[source].copy()
    for row in np.flatnonzero(np.diff(at) > 1):
        missing = int(at[row + 1] - at[row]) - 1
        following = next_times(content.times[row], content.frequency, missing, calendar)
        times[at[row] + 1 : at[row + 1]] = following
    return times
