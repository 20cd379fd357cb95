"""Run windows of values through a version's graph, and again with the forecasts it gave."""

from collections.abc import Sequence
from itertools import pairwise
from struct import Struct

import numpy as np
import numpy.typing as npt

from app.artifact.files import FORECAST, FUTURE, HISTORY, INTERVALS, LEVELS
from app.artifact.manifest import SeriesInput
from app.predictions.loaded import Arrays, Loaded
from app.predictions.questions import Work

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

NOTHING: Arrays = {}
MOST_BOUNDS_PER_RUN = 2_000_000  # numbers; a long horizon's intervals of many rows are gigabytes


def packed(columns: Sequence[Sequence[float]]) -> Floats:
    """Return columns of the same length as an array, a row each."""
    # Four times as fast as np.array, which looks at every value.
    pack = Struct(f"{len(columns[0])}d").pack
    return np.frombuffer(b"".join([pack(*column) for column in columns])).reshape(len(columns), -1)


def outside(described: SeriesInput, columns: Floats) -> list[tuple[int, str]]:
    """Find values that lie outside the training data's range.

    Args:
        described: the version's input columns.
        columns: (batch, features, window).

    Returns:
        The row and a warning, for each column of each row with such values.
    """
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
    """Return the lowest and the highest of (batch, window)."""
    if len(values) == 1:  # with cold caches, 15 us with numpy and 7 us like this
        one = values[0].tolist()
        return min(one), max(one)
    # For all together: min and max of each list of 60 took 2.2 us.
    return np.minimum.reduce(values, None), np.maximum.reduce(values, None)


def forecast(version: Loaded, windows: Floats, beside: Arrays = NOTHING) -> Work[Floats]:
    """Return forecasts (batch, horizon) of raw values (batch, window, features).

    `beside` are the graph's other inputs by name, a row for each of the batch.
    """
    rows = len(windows)
    if rows <= version.rows_per_run:
        return version.run(_fed(windows, beside, 0, rows), [FORECAST])[FORECAST]
    runs = []
    for start, end in _runs(rows, version.rows_per_run):
        runs.append(version.run(_fed(windows, beside, start, end), [FORECAST])[FORECAST])
        yield
    return np.concatenate(runs)


def forecast_with_intervals(
    version: Loaded, windows: Floats, levels: list[int], beside: Arrays = NOTHING
) -> Work[tuple[Floats, Floats]]:
    """Return forecasts (batch, horizon) and their bounds (batch, steps, levels, 2)."""
    most = max(1, MOST_BOUNDS_PER_RUN // (2 * len(levels) * version.manifest.horizon))
    asked = np.array(levels, dtype=np.int64)
    forecasts, bounds = [], []
    for start, end in _runs(len(windows), min(most, version.rows_per_run)):
        inputs = {**_fed(windows, beside, start, end), LEVELS: asked}
        run = version.run(inputs, [FORECAST, INTERVALS])
        forecasts.append(run[FORECAST])
        bounds.append(run[INTERVALS])
        yield
    return np.concatenate(forecasts), np.concatenate(bounds)


def fed_back(
    version: Loaded,
    windows: Floats,
    first: Floats,
    steps: Ids,
    *,
    beside: Arrays = NOTHING,
    planned: Floats | None = None,
) -> Work[Floats]:
    """Return forecasts for every row, (batch, at least the most steps asked for).

    After the trained horizon, whose forecasts are `first`, the forecasts become the newest values
    of the window, horizon by horizon. Columns known ahead continue as planned, (batch, whole
    horizons, known), and others keep their newest value. Rows that have enough are left out of
    further runs and hold NaN there.
    """
    horizon, width = version.manifest.horizon, windows.shape[1]
    blocks = [first]
    active = np.arange(len(windows))
    for done in range(horizon, int(steps.max()), horizon):
        seen = None if planned is None else planned[active, done - horizon : done]
        newest = _newest(version, windows, blocks[-1][active], seen)
        windows = np.concatenate([windows, newest], axis=1)[:, -width:]
        is_unfinished = steps[active] > done
        active, windows = active[is_unfinished], windows[is_unfinished]
        beside = {name: array[is_unfinished] for name, array in beside.items()}
        if planned is not None:
            ahead = planned[active, done : done + horizon]
            beside[FUTURE] = np.ascontiguousarray(ahead)
        block = np.full(first.shape, np.nan)
        block[active] = yield from forecast(version, windows, beside)
        blocks.append(block)
        yield
    return np.concatenate(blocks, axis=1)


def _newest(version: Loaded, windows: Floats, given: Floats, planned: Floats | None) -> Floats:
    """Return the rows that forecasts (n, horizon) add to windows, (n, horizon, features)."""
    described = version.manifest.series
    if described is None or len(described.columns_read) == 1:
        return given[:, :, np.newaxis]
    names = described.columns_read
    newest = np.repeat(windows[:, -1:], given.shape[1], axis=1)
    newest[:, :, names.index(described.target)] = given
    if planned is not None:
        newest[:, :, [names.index(name) for name in described.columns_ahead]] = planned
    return newest


def _fed(windows: Floats, beside: Arrays, start: int, end: int) -> Arrays:
    """Return the graph's inputs for some rows of a batch."""
    return {HISTORY: windows[start:end]} | {
        name: array[start:end] for name, array in beside.items()
    }


def _runs(rows: int, most: int) -> list[tuple[int, int]]:
    """Divide rows into as few runs as possible, of about the same length: short ones cost more."""
    runs = -(-rows // most)
    return list(pairwise([rows * run // runs for run in range(runs + 1)]))
