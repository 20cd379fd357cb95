"""Judging a series network: one step ahead from every judged row, beside persistence."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.datasets.content import DatasetContent, SeriesContent
from app.datasets.frequency import split_frequency
from app.errors import Unprocessable
from app.forecasting.baselines import Persistence
from app.forecasting.metrics import mae, rmse, skill
from app.forecasting.windows import Split, windows
from app.registry.artifacts import CurvePoint, Errors, SeriesScore
from app.training.onnx_session import forecasts
from app.training.series_data import Floats, Group, SeriesData
from app.training.task import JudgedOn, Judgement

CURVE_POINTS = 2000
# Closer than this to the baseline, in skill, and a verdict claims no difference.
EVEN_SKILL = 0.005
STEP_NAMES = {
    "s": "seconds",
    "min": "minutes",
    "h": "hours",
    "D": "days",
    "B": "days",
    "W": "weeks",
    "MS": "months",
    "ME": "months",
    "QS": "quarters",
    "QE": "quarters",
    "YS": "years",
    "YE": "years",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """The rows to be forecast, one step ahead each, and what came before them."""

    inputs: Floats  # (n, window, features)
    actual: Floats  # (n,)
    persistence: Floats  # (n,), the target's last known value before each
    times: tuple[str | None, ...]  # (n,)
    labels: tuple[str, ...]  # (n,)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.actual)


def held_out_rows(data: SeriesData) -> Judged:
    """The rows from the cut on.

    Raises:
        Unprocessable: no row of them can be forecast.
    """
    judged = _join([_from_row(group, data, group.split.test_start) for group in data.groups])
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
    return _join([_from_row(group, data, 0) for group in data.groups])


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
        parts.append(_test_part(data, content, before if follows else None))
        if follows and data.window > 1:
            notes.append(
                f"the first windows reach back into the last {data.window - 1} training rows"
            )
    judged = _join(parts, notes=tuple(dict.fromkeys(notes)))
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
    """Forecasts every judged row with the graph and compares it with persistence."""
    forecast = forecasts(graph, judged.inputs, check=check)[:, 0]
    both = np.isfinite(judged.persistence)
    actual, repeated = judged.actual[both], judged.persistence[both]
    model = Errors(rmse=rmse(actual, forecast[both]), mae=mae(actual, forecast[both]))
    persistence = Errors(rmse=rmse(actual, repeated), mae=mae(actual, repeated))
    measured, missing = _skill(model, persistence, judged_on)
    several = len(data.groups) > 1
    tail = range(max(0, len(judged) - CURVE_POINTS), len(judged))
    score = SeriesScore(
        rows=int(both.sum()),
        start=judged.times[0] if not several else None,
        end=judged.times[-1] if not several else None,
        model=model,
        baselines={"persistence": persistence},
        curve=tuple(
            CurvePoint(
                series=judged.labels[row] if several else None,
                time=judged.times[row],
                actual=float(judged.actual[row]),
                forecast=float(forecast[row]),
                persistence=float(judged.persistence[row]),
            )
            for row in tail
            if both[row]
        ),
    )
    steps = _step_name(data.content.frequency)
    return Judgement(
        verdict=_verdict(model, persistence, f"{score.rows} {steps}", judged_on),
        skill=measured,
        skill_missing=missing,
        notes=notes,
        series=score,
    )


def _from_row(group: Group, data: SeriesData, start: int) -> Judged:
    """The rows of a series from `start` on that follow a complete window."""
    every = windows(group.inputs, group.target, window=data.window, horizon=1)
    chosen = every.where(every.first >= start)
    repeated = Persistence().fit(group.target).forecasts(group.target, chosen.first, horizon=1)
    return Judged(
        inputs=chosen.inputs,
        actual=chosen.targets[:, 0],
        persistence=repeated[:, 0],
        times=tuple(group.times(chosen.first)),
        labels=(group.label,) * len(chosen),
    )


def _test_part(data: SeriesData, content: SeriesContent, before: Group | None) -> Judged:
    """One series of a test set, after the tail of the training rows if it follows on them."""
    reach = min(data.window - 1, len(before.target)) if before is not None else 0
    inputs = np.stack([content.column(name) for name in data.features], axis=1)
    target = content.column(data.target)
    if before is not None and reach:
        inputs = np.concatenate([before.inputs[-reach:], inputs])
        target = np.concatenate([before.target[-reach:], target])
    group = Group(
        label=content.labels[0],
        inputs=inputs,
        target=target,
        content=content,
        split=Split(rows=len(target), validation_start=0, test_start=0),
    )
    every = windows(inputs, target, window=data.window, horizon=1)
    chosen = every.where(every.first > reach)
    repeated = Persistence().fit(target).forecasts(target, chosen.first, horizon=1)
    return Judged(
        inputs=chosen.inputs,
        actual=chosen.targets[:, 0],
        persistence=repeated[:, 0],
        times=tuple(group.times(chosen.first - reach)),
        labels=(group.label,) * len(chosen),
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


def _join(parts: list[Judged], *, notes: tuple[str, ...] = ()) -> Judged:
    return Judged(
        inputs=np.concatenate([part.inputs for part in parts]),
        actual=np.concatenate([part.actual for part in parts]),
        persistence=np.concatenate([part.persistence for part in parts]),
        times=tuple(time for part in parts for time in part.times),
        labels=tuple(label for part in parts for label in part.labels),
        notes=notes,
    )


def _skill(
    model: Errors, persistence: Errors, judged_on: JudgedOn
) -> tuple[float | None, str | None]:
    if judged_on == "training":
        return None, "nothing was held out: the figures are on the rows it was trained on"
    measured = skill(model.rmse, persistence.rmse)
    if np.isfinite(measured):
        return measured, None
    return None, "repeating the last value makes no error on the judged rows"


def _verdict(model: Errors, persistence: Errors, rows: str, judged_on: JudgedOn) -> str:
    figures = f"RMSE {model.rmse:.3g} against {persistence.rmse:.3g} over {rows}"
    if judged_on == "training":
        return f"not judged: {figures} on the rows it was trained on, nothing was held out"
    measured = skill(model.rmse, persistence.rmse)
    if model.rmse == persistence.rmse or abs(measured) < EVEN_SKILL:
        return f"as good as repeating the last value: {figures}"
    better = model.rmse < persistence.rmse
    return f"{'better' if better else 'worse'} than repeating the last value: {figures}"


def _step_name(frequency: str | None) -> str:
    if frequency is None:
        return "rows"
    count, unit = split_frequency(frequency)
    return STEP_NAMES.get(unit, "steps") if count == 1 else "steps"
