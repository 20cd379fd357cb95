"""Judging a series network: forecasts from every judged row, compared with the baselines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec

import numpy as np

from app.artifact.onnx_session import forecasts_with_intervals
from app.forecasting.histories import joined
from app.judging.forecasts import SCORED_LEVELS, Floats, Forecasts, Ids, JudgedSeries
from app.judging.judgement import WITHOUT_SCIKIT, JudgedOn, Judgement
from app.judging.series_score import score_series
from app.judging.series_verdict import notes_of, skill_of, step_name, verdict_of
from app.judging.simple_forecasts import MLP, UNIVERSAL, simple_forecasts
from app.judging.universal_baseline import universal_forecasts


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """The rows to be forecast, series after series, and the rows before them."""

    parts: tuple[JudgedSeries, ...]
    notes: tuple[str, ...] = ()
    seen: bool = False  # the network was fitted on all of them

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @cached_property
    def inputs(self) -> Floats:
        """Return what the network sees, (n, window, features)."""
        return np.concatenate([part.inputs for part in self.parts])

    @cached_property
    def numbers(self) -> Ids:
        """Return the number by which the graph knows each row's series, (n,)."""
        return np.repeat([part.number for part in self.parts], [len(part) for part in self.parts])

    @cached_property
    def future(self) -> Floats | None:
        """Return the columns known ahead after each row, (n, horizon, known)."""
        return joined([part.future for part in self.parts])


def judge_series(
    graph: bytes,
    judged: Judged,
    *,
    frequency: str | None,
    window: int,
    judged_on: JudgedOn,
    check: Callable[[], None],
    notes: tuple[str, ...],
) -> Judgement:
    """Forecast from every judged row with the graph and compare with the baselines.

    Args:
        graph: the ONNX file.
        judged: the rows.
        frequency: the frequency of the rows the network was trained on.
        window: past steps the network sees.
        judged_on: what the rows are, for the verdict.
        check: called between runs; may raise to stop.
        notes: notes on the figures that are known before judging.

    Raises:
        Unprocessable: no row has an actual value, a forecast, and a value before it.
    """
    given, bounds = forecasts_with_intervals(
        graph,
        judged.inputs,
        SCORED_LEVELS,
        numbers=judged.numbers,
        future=judged.future,
        check=check,
    )
    # A group without judged rows can still have taught a baseline.
    told = _forecasts(judged, given, bounds, frequency=frequency, window=window, check=check)
    score = score_series(told)
    pooled = sum(len(each.judged) > 0 and np.isfinite(each.scale) for each in told)
    measured, missing = skill_of(score, judged_on)
    return Judgement(
        verdict=verdict_of(
            score, step_name(frequency), judged_on, horizon=given.shape[1], series=pooled
        ),
        skill=measured,
        skill_missing=missing,
        notes=(*notes, *notes_of(score)),
        series=score,
    )


def _forecasts(
    judged: Judged,
    given: Floats,
    bounds: Floats | None,
    *,
    frequency: str | None,
    window: int,
    check: Callable[[], None],
) -> list[Forecasts]:
    """Return what every forecaster says, for each series.

    Args:
        judged: the rows.
        given: the network's forecasts (n, horizon).
        bounds: ends of its intervals, (n, steps, levels, 2).
        frequency: the frequency of the rows.
        window: past steps the network sees.
        check: called between series; may raise to stop.
    """
    horizon = given.shape[1]
    perceptron = _perceptron(judged.parts, horizon=horizon, window=window, check=check)
    untrained = universal_forecasts(judged.parts, horizon=horizon, frequency=frequency, check=check)
    stops = np.cumsum([len(part) for part in judged.parts])[:-1]
    told = []
    around = [None] * len(judged.parts) if bounds is None else np.split(bounds, stops)
    for number, (part, own) in enumerate(zip(judged.parts, np.split(given, stops), strict=True)):
        simple = simple_forecasts(
            part,
            horizon=horizon,
            frequency=frequency,
            window=window,
            series_count=len(judged.parts),
        )
        baselines, missing = dict(simple.forecasts), dict(simple.missing)
        baselines[UNIVERSAL] = untrained[number]
        if isinstance(perceptron, str):
            missing[MLP] = perceptron
        else:
            baselines[MLP] = perceptron[number]
        told.append(
            Forecasts(
                judged=part,
                model=own,
                baselines=baselines,
                missing=missing,
                season=simple.season,
                bounds=around[number],
            )
        )
        check()
    return told


def _perceptron(
    parts: Sequence[JudgedSeries], *, horizon: int, window: int, check: Callable[[], None]
) -> list[Floats] | str:
    if find_spec("sklearn") is None:
        return WITHOUT_SCIKIT
    from app.judging.mlp_baseline import mlp_forecasts  # noqa: PLC0415 - heavy, not everywhere

    return mlp_forecasts(parts, horizon=horizon, window=window, check=check)
