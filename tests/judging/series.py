"""Build judged series with a network that is just an arithmetic rule."""

from typing import Any

import numpy as np

from app.judging.forecasts import Forecasts, JudgedSeries
from app.judging.simple_forecasts import simple_forecasts

Floats = np.ndarray[Any, Any]


def judged_series(
    values: Floats, start: int, *, label: str = "", window: int = 2, horizon: int = 1
) -> Forecasts:
    """Judge "half-way from the last value to the one before it", for every step ahead."""
    first = np.arange(start, len(values))
    times = np.datetime_as_string(np.datetime64("2020-01-01") + first)
    judged = JudgedSeries(
        label=label,
        inputs=np.stack([values[row - window : row, None] for row in first]),
        values=values,
        first=first,
        training=values[:start],
        times=tuple(times.tolist()),
    )
    simple = simple_forecasts(judged, horizon=horizon, frequency="D", window=window)
    own = (values[first - 1] + values[first - 2]) / 2
    return Forecasts(
        judged=judged,
        model=np.repeat(own[:, None], horizon, axis=1),
        baselines=simple.forecasts,
        missing=simple.missing,
        season=simple.season,
    )


def seasonal(rows: int, *, seed: int = 0) -> Floats:
    generator = np.random.default_rng(seed)
    season = 10.0 * np.sin(np.arange(rows) * 2 * np.pi / 7)
    return np.asarray(50.0 + season + generator.normal(0.0, 1.0, rows))
