"""Windows of values and a version's graph: as an array, through it, again with what it gave."""

from collections.abc import Sequence
from itertools import pairwise
from struct import Struct

import numpy as np
import numpy.typing as npt

from app.artifact.files import FORECAST, HISTORY, INTERVALS, LEVELS
from app.artifact.manifest import SeriesInput
from app.predictions.runtime import Loaded

Floats = npt.NDArray[np.float64]

# As many rows as stay in the cache. LSTM(64) over 60 steps, in us a row by itself: 66 in runs of
# one row, 35 of 4, 31 of 16 to 64, 35 of 128, 42 of 256; between the other work of batches 34 in
# runs of 16 to 32 and 36 in runs of 64.
ROWS_PER_RUN = 32
MOST_BOUNDS_PER_RUN = 2_000_000  # numbers; a long horizon's intervals of many rows are gigabytes


def packed(columns: Sequence[Sequence[float]]) -> Floats:
    """Columns of the same length as an array, a row each."""
    # Four times as quick as np.array, which looks at every value.
    pack = Struct(f"{len(columns[0])}d").pack
    return np.frombuffer(b"".join([pack(*column) for column in columns])).reshape(len(columns), -1)


def outside(described: SeriesInput, columns: Floats) -> list[tuple[int, str]]:
    """The rows of (batch, features, window) with values that training never saw; what to say."""
    found = []
    for number, feature in enumerate(described.features):
        values = columns[:, number]  # (batch, window)
        lowest, highest = _range(values)
        if lowest < feature.low or highest > feature.high:
            is_outside = ((values < feature.low) | (values > feature.high)).any(axis=1)  # (batch,)
            message = (
                f"values of {feature.name} lie outside the training data's range, "
                f"{feature.low:g} to {feature.high:g}"
            )
            found += [(row, message) for row in np.flatnonzero(is_outside).tolist()]
    return found


def _range(values: Floats) -> tuple[float, float]:
    """The lowest and the highest of (batch, window)."""
    if len(values) == 1:  # coming to it cold, 15 us with numpy and 7 so
        one = values[0].tolist()
        return min(one), max(one)
    # For all together: min and max of each list of 60 took 2.2 us.
    return np.minimum.reduce(values, None), np.maximum.reduce(values, None)


def forecast(version: Loaded, windows: Floats) -> Floats:
    """Forecasts (batch, horizon) of raw values (batch, window, features)."""
    runs = [
        version.run({HISTORY: windows[start:end]}, [FORECAST])[FORECAST]
        for start, end in _runs(len(windows), ROWS_PER_RUN)
    ]
    return runs[0] if len(runs) == 1 else np.concatenate(runs)


def forecast_with_intervals(
    version: Loaded, windows: Floats, levels: list[int]
) -> tuple[Floats, Floats]:
    """Forecasts (batch, horizon) and their bounds (batch, steps, levels, 2)."""
    most = max(1, MOST_BOUNDS_PER_RUN // (2 * len(levels) * version.manifest.horizon))
    asked = np.array(levels, dtype=np.int64)
    runs = [
        version.run({HISTORY: windows[start:end], LEVELS: asked}, [FORECAST, INTERVALS])
        for start, end in _runs(len(windows), min(most, ROWS_PER_RUN))
    ]
    return (
        np.concatenate([run[FORECAST] for run in runs]),
        np.concatenate([run[INTERVALS] for run in runs]),
    )


def fed_back(
    version: Loaded, windows: Floats, first: Floats, steps: npt.NDArray[np.int64]
) -> Floats:
    """Forecasts of every row, (batch, at least the most steps asked for).

    Past the trained horizon, whose forecasts are `first`, the forecasts become the newest values of
    the window, horizon by horizon; rows that have enough take no part in the further runs and hold
    NaN there.
    """
    horizon, width = version.manifest.horizon, windows.shape[1]
    blocks = [first]
    active = np.arange(len(windows))
    for done in range(horizon, int(steps.max()), horizon):
        newest = blocks[-1][active][:, :, np.newaxis]  # (active, horizon, 1)
        windows = np.concatenate([windows, newest], axis=1)[:, -width:]
        going_on = steps[active] > done
        active, windows = active[going_on], windows[going_on]
        block = np.full(first.shape, np.nan)
        block[active] = forecast(version, windows)
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def _runs(rows: int, most: int) -> list[tuple[int, int]]:
    """The rows in as few runs as hold at most so many, all about as long: short ones are dear."""
    runs = -(-rows // most)
    return list(pairwise([rows * run // runs for run in range(runs + 1)]))
