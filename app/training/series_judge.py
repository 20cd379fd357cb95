"""Judging a series network: forecasts from every judged row, beside the baselines."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.datasets.content import DatasetContent, SeriesContent
from app.errors import Unprocessable
from app.forecasting.windows import Split, windows
from app.judging.rows import Forecasts, JudgedSeries
from app.judging.series_score import score_series
from app.judging.series_verdict import notes_of, skill_of, step_name, verdict_of
from app.judging.simple_forecasts import MLP, simple_forecasts
from app.training.mlp_baseline import mlp_forecasts
from app.training.onnx_session import forecasts
from app.training.series_data import Floats, Group, SeriesData
from app.training.task import JudgedOn, Judgement


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """The rows to be forecast, series after series, and what came before them."""

    parts: tuple[JudgedSeries, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @cached_property
    def inputs(self) -> Floats:
        """What the network sees, (n, window, features)."""
        return np.concatenate([part.inputs for part in self.parts])


def held_out_rows(data: SeriesData) -> Judged:
    """The rows from the cut on.

    Raises:
        Unprocessable: no row of them can be forecast.
    """
    judged = Judged(
        parts=tuple(_from_row(group, data, group.split.test_start) for group in data.groups)
    )
    if len(judged):
        return judged
    held_out = sum(group.split.rows - group.split.test_start for group in data.groups)
    raise Unprocessable.at(
        "recipe.test_fraction",
        f"none of the {held_out} held-out rows follows a complete window of {data.window} values; "
        "raise it, send more rows, or give a test set",
    )


def training_rows(data: SeriesData) -> Judged:
    """All rows, where nothing is held out."""
    return Judged(parts=tuple(_from_row(group, data, 0) for group in data.groups))


def test_rows(data: SeriesData, test: DatasetContent) -> Judged:
    """The rows of a test set.

    Each row but the last of each series is an origin, as in the chapter: the next row is forecast
    from it. Where the test set follows on the training rows, windows reach back into them.

    Raises:
        Unprocessable: it is a text, lacks a column, or has no row that can be forecast.
    """
    if not isinstance(test, SeriesContent):
        raise Unprocessable.at("test", "is a text, and the model is for a series")
    for name in dict.fromkeys((*data.features, data.target)):
        if name not in test.columns:
            raise Unprocessable.at(
                "test", f"has no column {name!r}; it has {', '.join(test.columns)}"
            )
    known = {group.label: group for group in data.groups}
    alone = len(data.groups) == len(test.labels) == 1
    parts, notes = [], []
    for label in test.labels:
        content = test.of_series(label)
        before = data.groups[0] if alone else known.get(label)
        follows = before is not None and _follows(before.content, content)
        if before is not None and not follows and _overlaps(before.content, content):
            notes.append(
                "the test set begins before the training rows end: where they overlap, the figures "
                "are on rows the network was trained on"
            )
        parts.append(_test_part(data, content, before, follows=follows))
        if follows and data.window > 1:
            notes.append(
                f"the first windows reach back into the last {data.window - 1} training rows"
            )
    judged = Judged(parts=tuple(parts), notes=tuple(dict.fromkeys(notes)))
    if not len(judged):
        raise Unprocessable.at(
            "test",
            f"none of its {len(test)} rows can be forecast from a complete window of "
            f"{data.window} values before it; send more rows, or a smaller recipe.window",
        )
    return judged


def judge_series(
    graph: bytes,
    judged: Judged,
    *,
    data: SeriesData,
    judged_on: JudgedOn,
    check: Callable[[], None],
    notes: tuple[str, ...],
) -> Judgement:
    """Forecasts from every judged row with the graph and compares them with the baselines."""
    given = forecasts(graph, judged.inputs, check=check)  # (n, horizon)
    # A group that has no judged row can still have taught a baseline.
    told = _forecasts(judged, given, data=data, check=check)
    score = score_series(told)
    rows = f"{score.rows} {step_name(data.content.frequency)}"
    measured, missing = skill_of(score, judged_on)
    return Judgement(
        verdict=verdict_of(score, rows, judged_on),
        skill=measured,
        skill_missing=missing,
        notes=(*notes, *notes_of(score)),
        series=score,
    )


def _forecasts(
    judged: Judged, given: Floats, *, data: SeriesData, check: Callable[[], None]
) -> list[Forecasts]:
    """What every forecaster says, for each series."""
    horizon = given.shape[1]
    perceptron = mlp_forecasts(judged.parts, horizon=horizon, window=data.window, check=check)
    stops = np.cumsum([len(part) for part in judged.parts])[:-1]
    told = []
    for number, (part, own) in enumerate(zip(judged.parts, np.split(given, stops), strict=True)):
        simple = simple_forecasts(
            part,
            horizon=horizon,
            frequency=data.content.frequency,
            window=data.window,
            series_count=len(judged.parts),
        )
        baselines, missing = dict(simple.forecasts), dict(simple.missing)
        if isinstance(perceptron, str):
            missing[MLP] = perceptron
        else:
            baselines[MLP] = perceptron[number]
        told.append(
            Forecasts(
                judged=part, model=own, baselines=baselines, missing=missing, season=simple.season
            )
        )
        check()
    return told


def _from_row(group: Group, data: SeriesData, start: int) -> JudgedSeries:
    """The rows of a series from `start` on that follow a complete window; 0: all of them."""
    every = windows(group.inputs, group.target, window=data.window, horizon=1)
    chosen = every.where(every.first >= start)
    return JudgedSeries(
        label=group.label,
        inputs=chosen.inputs,
        values=group.target,
        first=chosen.first,
        training=group.target[:start] if start else group.target,
        times=tuple(group.times(chosen.first)),
    )


def _test_part(
    data: SeriesData, content: SeriesContent, before: Group | None, *, follows: bool
) -> JudgedSeries:
    """One series of a test set, after the training rows if it follows on them."""
    inputs = np.stack([content.column(name) for name in data.features], axis=1)
    target = content.column(data.target)
    known = 0
    if before is not None and follows:
        known = len(before.target)
        inputs = np.concatenate([before.inputs, inputs])
        target = np.concatenate([before.target, target])
    group = Group(
        label=content.labels[0],
        inputs=inputs,
        target=target,
        content=content,
        split=Split(rows=len(target), validation_start=0, test_start=0),
    )
    every = windows(inputs, target, window=data.window, horizon=1)
    chosen = every.where(every.first > known)
    return JudgedSeries(
        label=group.label,
        inputs=chosen.inputs,
        values=target,
        first=chosen.first,
        training=np.empty(0) if before is None else before.target,
        times=tuple(group.times(chosen.first - known)),
    )


def _follows(training: SeriesContent, test: SeriesContent) -> bool:
    if not len(training) or not len(test):
        return False
    if training.times is None or test.times is None:
        return training.times is test.times
    return bool(test.times[0] > training.times[-1])


def _overlaps(training: SeriesContent, test: SeriesContent) -> bool:
    if training.times is None or test.times is None or not len(training) or not len(test):
        return False
    return bool(test.times[0] <= training.times[-1] and test.times[-1] >= training.times[0])
