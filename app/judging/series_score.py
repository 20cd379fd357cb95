"""Compute a scorecard's figures for series from the forecasts of every forecaster. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.artifact.scorecard import (
    Against,
    CurvePoint,
    EachScores,
    LagCheck,
    Scores,
    SeriesScore,
    StepScores,
)
from app.errors import Unprocessable
from app.forecasting.metrics import lag_copy, rmse
from app.judging.figures import Floats, Ids, Places, against, errors_of
from app.judging.forecasts import SCORED_LEVELS, Forecasts
from app.judging.interval_score import level_scores
from app.judging.simple_forecasts import BASELINES, PERSISTENCE

CURVE_POINTS = 2000
CURVE_LEVEL = 80
MOST_STEPS = 48
MOST_SERIES = 200
# Maximum number of values per forecaster that the figures by step may hold at once.
MOST_NUMBERS = 2_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """All series, one origin per row."""

    model: Floats  # (n, horizon)
    baselines: dict[str, Floats]  # (n, horizon) each
    actual: Floats  # (n, horizon)
    previous: Floats  # (n,)
    unit: Floats  # (n,)
    scale: Floats  # (n,)
    moments: Ids | None  # (n,)
    bounds: Floats | None  # (n, steps, levels, 2)
    counts: tuple[int, ...]  # number of origins of each series; the series follow each other

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Places with an actual value, a forecast, and a value before the origin, (n, horizon)."""
        there: NDArray[np.bool_] = (
            np.isfinite(self.actual)
            & np.isfinite(self.model)
            & np.isfinite(self.previous / self.unit)[:, None]
        )
        return there

    def latest(self, count: int) -> "_Table":
        """Return the last origins of each series, together this many or a few more."""
        if len(self.actual) <= count:
            return self
        most = max(1, count // sum(own > 0 for own in self.counts))
        part = np.concatenate([np.arange(own) >= own - most for own in self.counts])  # (n,)
        return _Table(
            model=self.model[part],
            baselines={name: given[part] for name, given in self.baselines.items()},
            actual=self.actual[part],
            previous=self.previous[part],
            unit=self.unit[part],
            scale=self.scale[part],
            moments=None if self.moments is None else self.moments[part],
            bounds=None if self.bounds is None else self.bounds[part],
            counts=tuple(min(own, most) for own in self.counts),
        )

    def places(self, forecast: Floats, chosen: NDArray[np.bool_], steps: slice) -> Places:
        """Return some rows and steps of one forecaster, flat.

        Args:
            forecast: (rows, horizon).
            chosen: (rows, number of steps), which values to return.
            steps: of the horizon.
        """
        width = self.actual[:, steps].shape[1]

        def spread(values: Floats) -> Floats:
            return np.repeat(values[:, None], width, axis=1)[chosen]

        return Places(
            actual=self.actual[:, steps][chosen],
            forecast=forecast[:, steps][chosen],
            previous=spread(self.previous),
            unit=spread(self.unit),
            scale=spread(self.scale),
        )


def score_series(parts: Sequence[Forecasts]) -> SeriesScore:
    """Return every figure of a series scorecard.

    Args:
        parts: one for each series; each has at least the persistence forecasts.

    Raises:
        Unprocessable: no row has an actual value, a forecast, and a value before it.
    """
    several = len(parts) > 1
    # Series that never changed in their training rows have no scale. They are left out if another
    # series has one.
    pooled = several and any(np.isfinite(part.scale) for part in parts)
    table = _table(parts, pooled=pooled)
    if not table.measured[:, 0].any():
        raise Unprocessable(
            "no judged row has a value before it to compare with; send more rows, or a target "
            "with fewer missing values"
        )
    scores = _scores(table, slice(0, 1))
    horizon = table.actual.shape[1]
    shown = _thinned(horizon)
    by_steps = table.latest(MOST_NUMBERS // horizon) if horizon > 1 else table
    return SeriesScore(
        rows=scores.rows,
        start=None if several else _ends(parts[0])[0],
        end=None if several else _ends(parts[0])[1],
        model=scores.model,
        baselines=scores.baselines,
        against=scores.against,
        missing=_missing(parts, scores),
        season=None if several else parts[0].season,
        lag_copy=_lag_copy(table),
        intervals=scores.intervals,
        curve_level=None if table.bounds is None else CURVE_LEVEL,
        pooled=pooled,
        each=tuple(_each(part) for part in _with_rows(parts)[:MOST_SERIES]) if several else (),
        steps=tuple(
            StepScores(step=step, **dict(_scores(by_steps, slice(step - 1, step))))
            for step in shown
            if by_steps.measured[:, step - 1].any()  # the rows may end within the horizon
        )
        if horizon > 1
        else (),
        all_steps=_scores(by_steps, slice(0, horizon)) if horizon > 1 else None,
        curve=_curve(parts),
    )


def _scores(table: _Table, steps: slice) -> Scores:
    """Return the figures over some steps; a baseline is measured where it has forecasts."""
    measured = table.measured[:, steps]  # (n, steps)
    baselines, compared = {}, {}
    for name, given in table.baselines.items():
        both = measured & np.isfinite(given[:, steps])
        if not both.any():
            continue
        baselines[name] = errors_of(table.places(given, both, steps))
        compared[name] = _against(table, given, both, steps)
    return Scores(
        rows=int(measured.sum()),
        model=errors_of(table.places(table.model, measured, steps)),
        baselines=baselines,
        against=compared,
        intervals=()
        if table.bounds is None
        else level_scores(
            table.bounds[:, steps],
            table.actual[:, steps],
            counted=table.measured[:, steps],
            unit=table.unit,
        ),
    )


def _against(table: _Table, given: Floats, both: NDArray[np.bool_], steps: slice) -> Against:
    rows = both.all(axis=1)
    if not rows.any():  # no origin has every step: use the first steps that it has
        rows = both[:, 0]
        steps = slice(steps.start, steps.start + 1)
    unit, actual = table.unit[rows, None], table.actual[rows, steps]
    return against(
        (table.model[rows, steps] - actual) / unit,
        (given[rows, steps] - actual) / unit,
        moments=None if table.moments is None else table.moments[rows],
        horizon=steps.stop,
    )


def _table(parts: Sequence[Forecasts], *, pooled: bool) -> _Table:
    """Join the origins of all series; if pooled, errors are in units of each series' scale."""
    horizon = parts[0].horizon
    counts = [len(part.judged) for part in parts]
    scale = np.repeat([part.scale for part in parts], counts)
    nothing = [np.full((count, horizon), np.nan) for count in counts]
    return _Table(
        model=np.concatenate([part.model for part in parts]),
        baselines={
            name: np.concatenate(
                [
                    part.baselines.get(name, empty)
                    for part, empty in zip(parts, nothing, strict=True)
                ]
            )
            for name in BASELINES
            if any(name in part.baselines for part in parts)
        },
        actual=np.concatenate([part.judged.actual(horizon) for part in parts]),
        previous=np.concatenate([part.baselines[PERSISTENCE][:, 0] for part in parts]),
        unit=scale if pooled else np.ones(len(scale)),
        scale=scale,
        moments=_moments(parts) if pooled else None,
        bounds=_bounds(parts),
        counts=tuple(counts),
    )


def _bounds(parts: Sequence[Forecasts]) -> Floats | None:
    """Return the intervals of all series, (n, steps, levels, 2)."""
    bounds = [part.bounds for part in parts if part.bounds is not None]
    return np.concatenate(bounds) if len(bounds) == len(parts) else None


def _moments(parts: Sequence[Forecasts]) -> Ids:
    """Return a number for each origin's time, equal if series share it: (n,)."""
    times = [time for part in parts for time in part.judged.times]
    if any(time is None for time in times):
        return np.concatenate([np.arange(len(part.judged)) for part in parts])
    _, numbers = np.unique(np.array(times, dtype=str), return_inverse=True)
    return numbers.astype(np.int64)


def _each(part: Forecasts) -> EachScores:
    scale = part.scale
    return EachScores(
        series=part.judged.label,
        season=part.season,
        scale=scale if np.isfinite(scale) else None,
        **dict(_scores(_table([part], pooled=False), slice(0, 1))),
    )


def _missing(parts: Sequence[Forecasts], scores: Scores) -> dict[str, str]:
    """Return the reasons for the baselines that every series lacks."""
    reasons: dict[str, str] = {}
    for name in BASELINES:
        if name in scores.baselines:
            continue
        told = [part.missing[name] for part in parts if name in part.missing]
        reasons[name] = (
            told[0] if told else "there are too few rows before the judged ones for its forecasts"
        )
    return reasons


def _lag_copy(table: _Table) -> LagCheck | None:
    rows = table.measured[:, 0]
    if not rows.any():
        return None
    unit = table.unit[rows]
    previous = table.previous[rows]
    # Relative to the previous value: dividing levels by a small unit would lose digits.
    found = lag_copy(
        (table.actual[rows, 0] - previous) / unit,
        (table.model[rows, 0] - previous) / unit,
        np.zeros(len(unit)),
    )
    return LagCheck(
        error=found.error, error_to_previous=found.error_to_previous, copies=found.copies
    )


def _with_rows(parts: Sequence[Forecasts]) -> list[Forecasts]:
    return [part for part in parts if _told(part).any()]


def _told(part: Forecasts) -> NDArray[np.bool_]:
    """Return whether both the network and persistence forecast the next row, (n,)."""
    there: NDArray[np.bool_] = np.isfinite(part.baselines[PERSISTENCE][:, 0])
    return there


def _ends(part: Forecasts) -> tuple[str | None, str | None]:
    times = part.judged.times
    return (times[0], times[-1]) if times else (None, None)


def _curve(parts: Sequence[Forecasts]) -> tuple[CurvePoint, ...]:
    """Return the last judged rows, one step ahead, series after series."""
    several = len(parts) > 1
    points = []
    for part in parts:
        judged, actual = part.judged, part.judged.actual(1)[:, 0]
        points += [
            CurvePoint(
                series=judged.label if several else None,
                time=judged.times[row],
                actual=float(actual[row]),
                forecast=float(part.model[row, 0]),
                persistence=float(part.baselines[PERSISTENCE][row, 0]),
                low=_end(part, row, 0),
                high=_end(part, row, 1),
                horizon_rmse=_horizon_rmse(part, row),
            )
            for row in np.flatnonzero(_told(part))[-CURVE_POINTS:]
        ]
    return tuple(points[-CURVE_POINTS:])


def _end(part: Forecasts, row: int, end: int) -> float | None:
    """Return where an interval of the curve begins or ends."""
    if part.bounds is None:
        return None
    return float(part.bounds[row, 0, SCORED_LEVELS.index(CURVE_LEVEL), end])


def _horizon_rmse(part: Forecasts, row: int) -> float | None:
    """Return the RMSE over all steps from one origin; None for one step or a missing value."""
    if part.horizon == 1:
        return None
    first = part.judged.first[row]
    errors = part.model[row] - part.judged.actual_from(first, part.horizon)  # (horizon,)
    return rmse(errors, np.zeros_like(errors)) if np.isfinite(errors).all() else None


def _thinned(horizon: int) -> list[int]:
    chosen = np.linspace(1, horizon, min(horizon, MOST_STEPS)).round().astype(int)
    return [int(step) for step in np.unique(chosen)]
