"""Forecast with series versions: check requests, run many of them together, build the answers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.artifact.files import FUTURE, SERIES
from app.artifact.manifest import SeriesInput
from app.errors import FieldError, Unprocessable
from app.judging.simple_forecasts import PERSISTENCE
from app.predictions.graph_runs import (
    Floats,
    fed_back,
    forecast,
    forecast_with_intervals,
    outside,
    packed,
)
from app.predictions.histories.columns import columns_of
from app.predictions.histories.computed import calendar_columns
from app.predictions.histories.future import future_of, planned_steps
from app.predictions.histories.gaps import without_gaps
from app.predictions.loaded import Arrays, Loaded
from app.predictions.open_steps import OpenSteps, graph_steps, open_steps
from app.predictions.questions import Outcome, Work
from app.predictions.schemas import MAX_STEPS, TEXT_FIELDS, PredictRequest
from app.predictions.times import Stamps, read_timestamps

# The cost of a forecast or an interval besides the run of the graph: its place in the answer.
FORECAST_SECONDS = 1.5e-6
NO_BOUNDS: Floats = np.empty(0)
TOO_LARGE = "its values are too large to forecast from: the result is beyond what a number holds"


class SeriesQuestion(NamedTuple):
    """What a request asks of a series version, and the cost of answering it."""

    version: Loaded
    # (features, window), raw values; becomes an array together with its neighbours
    columns: list[list[float]]
    steps: int
    stamps: Stamps | None
    levels: tuple[int, ...]  # of the intervals, in rising order; empty: no intervals
    warnings: Sequence[str]  # about the request; `warnings_of` adds those about values and times
    answer_size: int  # forecasts and intervals in the answer
    seconds: float  # the time that answering takes on its own
    added_seconds: float  # the time that answering adds to a run
    number: int = 0  # by which the graph knows the series; 0: as any other
    future: Sequence[list[float]] = ()  # (known, whole horizons), columns known ahead
    open_steps: OpenSteps = ()  # places of the steps to answer; empty: all of them

    def what_fits(self, seconds: float) -> FieldError:
        """Say how much of the question could be answered in this many seconds."""
        return steps_fitting(self.version, self.steps, self.seconds, fitting=seconds)

    @staticmethod
    def answer(questions: "Sequence[SeriesQuestion]") -> "Work[list[Outcome]]":
        """Answer questions for one version, in order."""
        return answer(questions)


def ask(version: Loaded, request: PredictRequest) -> SeriesQuestion:
    """Turn a request into a question, checked against the version that is to answer it.

    Raises:
        Unprocessable: a field does not fit the version; each is named.
    """
    manifest, described = version.manifest, version.manifest.series
    if described is None:
        raise Unprocessable.at("history", f"{version} is no series version")
    if not TEXT_FIELDS.isdisjoint(request.model_fields_set):
        raise _foreign_fields(version, request)
    if request.history is None:
        raise Unprocessable.at(
            "history",
            "is required (the values so far, oldest first), or a dataset in its place",
        )
    warnings: list[str] = []
    columns = columns_of(version, described, request.history, warnings)
    rows = len(columns[0])
    if rows < manifest.min_history:
        raise Unprocessable.at(
            "history",
            f"has {rows} values; {version} needs at least {manifest.min_history} (its min_history)",
        )
    given = request.timestamps
    stamps = None if given is None else read_timestamps(given, rows=rows)
    places = open_steps(described, stamps, request.horizon or manifest.horizon)
    steps = graph_steps(version, request, places, warnings)
    columns = _read(version, columns, stamps, warnings)
    future = future_of(version, request.future, steps, warnings)
    if described.calendar_inputs:
        seen, ahead = calendar_columns(version, stamps, steps, warnings)
        columns, future = columns + seen, future + ahead
    levels = _levels(version, described, request, warnings) if request.levels else ()
    return SeriesQuestion(
        version,
        columns,
        steps,
        stamps,
        levels,
        warnings,
        *costs(version, steps, values=steps * (1 + len(levels))),
        _number(version, request.series, warnings) if version.numbers else 0,
        future,
        places,
    )


def _read(
    version: Loaded, columns: list[list[float]], stamps: Stamps | None, warnings: list[str]
) -> list[list[float]]:
    """Return what a version reads of a history: a value for each step of its window."""
    if stamps is not None:
        columns = without_gaps(version, columns, stamps, warnings)
    width = version.manifest.window or len(columns[0])
    return columns if len(columns[0]) == width else _window_of(version, columns, width)


def _window_of(version: Loaded, columns: list[list[float]], width: int) -> list[list[float]]:
    """Return the newest values; where there are fewer, earlier ones are put before them.

    Older versions were made to see the first value repeated.
    """
    missing = max(0, width - len(columns[0]))
    if missing and version.reach.longest_hole:
        return [version.reach.read(np.array(column)).tolist() for column in columns]
    return [column[:1] * missing + column[-width:] for column in columns]


def _number(version: Loaded, series: str | None, warnings: list[str]) -> int:
    """Return by which number the graph knows a series; 0, and a warning, for any other."""
    number = version.numbers.get(series or "", 0)
    if not number:
        which = "no series is named" if series is None else f"{series!r} is none of them"
        warnings.append(
            f"{version} was trained on {len(version.numbers)} series by name, and {which}: it is "
            "forecast as they are on average"
        )
    return number


def steps_fitting(version: Loaded, steps: int, seconds: float, *, fitting: float) -> FieldError:
    """Say how many of the steps, which take some seconds, could be answered in others."""
    horizon = version.manifest.horizon
    runs = int(fitting / seconds * steps / horizon)
    return FieldError(
        field="horizon", message=f"a horizon of about {max(1, runs) * horizon:,} would fit"
    )


def costs(version: Loaded, steps: int, *, values: int) -> tuple[int, float, float]:
    """Return `answer_size`, `seconds` and `added_seconds` of a question."""
    seconds, added_seconds = version.run_seconds, version.row_seconds
    horizon = version.manifest.horizon
    if steps > horizon:
        runs = -(-steps // horizon)
        seconds, added_seconds = runs * seconds, runs * added_seconds
    shown = values * FORECAST_SECONDS
    return values, seconds + shown, added_seconds + shown


def answer(questions: Sequence[SeriesQuestion]) -> Work[list[Outcome]]:
    """Answer questions for one version, in order."""
    version = questions[0].version
    columns = _as_array(questions)
    windows = np.ascontiguousarray(columns.transpose(0, 2, 1))  # (batch, window, features)
    beside = beside_of(version, questions)
    levels = sorted({level for question in questions for level in question.levels})
    if levels:
        forecasts, bounds = yield from forecast_with_intervals(version, windows, levels, beside)
        intervals = [
            _intervals(question, own, levels)
            for question, own in zip(questions, bounds, strict=True)
        ]
    else:
        forecasts, bounds = (yield from forecast(version, windows, beside)), NO_BOUNDS
        intervals = [[]] * len(questions)
    steps = [question.steps for question in questions]
    if max(steps) > version.manifest.horizon:
        planned = planned_steps([question.future for question in questions])
        forecasts = yield from fed_back(
            version, windows, forecasts, np.array(steps), beside=beside, planned=planned
        )
    warnings = _warnings(version, questions, columns)
    # Many together; for a single one numpy is slower than Python.
    are_finite = len(questions) > 1 and bool(
        np.isfinite(forecasts).all() and np.isfinite(bounds).all()
    )
    return [
        _shown(version, *parts)
        if are_finite or _finite(*parts[:3])
        else Unprocessable.at("history", TOO_LARGE)
        for parts in zip(questions, forecasts.tolist(), intervals, warnings, strict=True)
    ]


def beside_of(version: Loaded, questions: Sequence[SeriesQuestion]) -> Arrays:
    """Return what the graph reads beside the history, by name."""
    beside: Arrays = {}
    if version.numbers:
        beside[SERIES] = np.array([question.number for question in questions])
    planned = planned_steps([question.future for question in questions])
    if planned is not None:
        beside[FUTURE] = np.ascontiguousarray(planned[:, : version.manifest.horizon])
    return beside


def warnings_of(version: Loaded, question: SeriesQuestion) -> Sequence[str]:
    """Return what weakens the answer to a question."""
    return _warnings(version, [question], _as_array([question]))[0]


def _as_array(questions: Sequence[SeriesQuestion]) -> Floats:
    """Return the questions' columns, (batch, features, window)."""
    values = packed([column for question in questions for column in question.columns])
    return values.reshape(len(questions), -1, values.shape[1])


def _warnings(
    version: Loaded, questions: Sequence[SeriesQuestion], columns: Floats
) -> list[Sequence[str]]:
    """Return warnings by question; a question's columns are a row of (batch, features, window)."""
    warnings = [question.warnings for question in questions]
    described = version.manifest.series
    if described is None:
        return warnings
    for row, message in outside(described, columns):
        warnings[row] = [*warnings[row], message]
    for row, question in enumerate(questions):
        if question.stamps is not None and described.frequency is not None:
            told = _about_times(
                described,
                described.frequency,
                question.stamps,
                len(question.open_steps) or question.steps,
            )
            if told is not None:
                warnings[row] = [*warnings[row], told]
    return warnings


def _about_times(described: SeriesInput, frequency: str, stamps: Stamps, steps: int) -> str | None:
    """Return what makes the times of the steps ahead doubtful, or None."""
    if not stamps.fits(frequency):
        return (
            f"the timestamps have another frequency than the training data's, {frequency}; "
            "they are not continued"
        )
    if described.calendar is None:
        return None
    last = stamps.past_known_dates(frequency, steps, described.calendar)
    if last is None:
        return None
    return (
        f"closed days are known until {last}, and the forecast leads past it: later times may be "
        "days on which there is no row; train again on newer rows to extend the calendar"
    )


def _intervals(
    question: SeriesQuestion, bounds: Floats, levels: list[int]
) -> list[list[dict[str, float]]]:
    """Return the intervals of the steps that have any, narrowest first.

    Args:
        question: decides levels and steps.
        bounds: (steps, levels, 2).
        levels: of the bounds.
    """
    if not question.levels:
        return []
    places = [levels.index(level) for level in question.levels]
    return [
        [
            {"level": level, "low": low, "high": high}
            for level, (low, high) in zip(question.levels, step, strict=True)
        ]
        for step in bounds[: question.steps, places].tolist()
    ]


def _finite(
    question: SeriesQuestion, forecasts: list[float], intervals: list[list[dict[str, float]]]
) -> bool:
    bounds = [bound for step in intervals for each in step for bound in (each["low"], each["high"])]
    return all(map(math.isfinite, forecasts[: question.steps])) and all(map(math.isfinite, bounds))


def _shown(
    version: Loaded,
    question: SeriesQuestion,
    forecasts: list[float],
    intervals: list[list[dict[str, float]]],
    warnings: Sequence[str],
) -> dict[str, object]:
    values: Sequence[float] = forecasts[: question.steps]
    if question.open_steps:
        values = [values[place] for place in question.open_steps]
        intervals = [intervals[place] for place in question.open_steps if place < len(intervals)]
    predictions = steps_shown(values)
    if question.stamps is not None:
        timestamps = _timestamps(version, question.stamps, len(values))
        for prediction, timestamp in zip(predictions, timestamps, strict=False):
            prediction["timestamp"] = timestamp
    if intervals:
        for prediction, own in zip(predictions, intervals, strict=False):
            prediction["intervals"] = own
    return parts_shown(version, predictions, warnings)


def steps_shown(values: Sequence[object]) -> list[dict[str, object]]:
    """Return a forecast's steps, without times and intervals."""
    return [
        {"step": step, "value": value, "timestamp": None, "intervals": None}
        for step, value in enumerate(values, start=1)
    ]


def parts_shown(
    version: Loaded, predictions: list[dict[str, object]], warnings: object
) -> dict[str, object]:
    """Return an answer's own parts."""
    return {
        "predictions": predictions,
        "skill": version.skill_over(len(predictions)),
        "baseline": PERSISTENCE,
        "warnings": warnings,
    }


def _timestamps(version: Loaded, stamps: Stamps, steps: int) -> list[str]:
    """Return the times of the steps ahead; none if the history has a different frequency."""
    described = version.manifest.series
    if described is None or described.frequency is None or not stamps.fits(described.frequency):
        return []
    return stamps.continued(described.frequency, steps, described.calendar)


def _foreign_fields(version: Loaded, request: PredictRequest) -> Unprocessable:
    foreign = sorted(TEXT_FIELDS & request.model_fields_set)
    places = tuple(
        FieldError(field=name, message=f"belongs to text; {version} forecasts a series")
        for name in foreign
    )
    return Unprocessable(
        f"{version} forecasts a series: it takes history, not {', '.join(foreign)}",
        errors=places,
    )


def _levels(
    version: Loaded, described: SeriesInput, request: PredictRequest, warnings: list[str]
) -> tuple[int, ...]:
    """Return the requested levels in rising order; none if the version has no intervals."""
    calibrated = described.intervals
    if calibrated is None:
        why = described.intervals_missing or "it was trained before versions had them"
        warnings.append(f"{version} has no intervals: {why}")
        return ()
    if calibrated.steps < min(request.horizon or MAX_STEPS, version.manifest.horizon):
        warnings.append(
            f"{version} has intervals up to step {calibrated.steps} alone: past that there were "
            "too few forecasts to calibrate on"
        )
    return tuple(sorted(set(request.levels or ())))
