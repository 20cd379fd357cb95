"""Express a series scorecard in words."""

import math
from typing import Literal

from app.artifact.scorecard import Scores, SeriesScore
from app.judging.simple_forecasts import PERSISTENCE
from app.reading.series.frequency import split_frequency

JudgedOn = Literal["test", "held-out", "training"]
STEP_NAMES = {
    "s": "seconds",
    "min": "minutes",
    "h": "hours",
    "D": "days",
    "B": "days",
    "C": "days",
    "W": "weeks",
    "SMS": "half-months",
    "SME": "half-months",
    "MS": "months",
    "ME": "months",
    "QS": "quarters",
    "QE": "quarters",
    "YS": "years",
    "YE": "years",
}
SPOKEN = {
    "drift": "continuing the average change",
    "seasonal_naive": "repeating the last season",
    "linear_autoregression": "a linear autoregression",
    "mlp": "a multilayer perceptron",
}


def verdict_of(
    score: SeriesScore, step: str, judged_on: JudgedOn, *, horizon: int = 1, series: int = 1
) -> str:
    """Return the verdict over the whole horizon as one plain sentence.

    Args:
        score: the figures.
        step: what a row is called in the plural, for example "days".
        judged_on: what they were measured on.
        horizon: steps ahead.
        series: number of series in the figures.
    """
    whole = score.over_horizon
    model, persistence = whole.model.rmse, whole.baselines[PERSISTENCE].rmse
    figures = f"RMSE {_figures(model, persistence)} over {_judged_rows(score, step, horizon)}"
    if score.pooled:
        figures += f" of {series} series, in units of each one's mean change"
    if judged_on == "training":
        return f"not judged: {figures} on the rows it was trained on, nothing was held out"
    told = whole.against[PERSISTENCE].verdict
    if model == persistence:
        sentence = f"as good as repeating the last value: {figures}"
    elif told == "within noise":
        sentence = f"no better than repeating the last value: {figures}, a difference within noise"
    else:
        better = "better" if model < persistence else "worse"
        sentence = f"{better} than repeating the last value: {figures}"
        if told == "not to be told":
            sentence += ", too few to tell it from noise"
        if told == "worse":
            return sentence
    return sentence + _beaten_by(whole)


def _judged_rows(score: SeriesScore, step: str, horizon: int) -> str:
    """Return what was judged, for example "19 days" or "the next 12 months, from 24 origins"."""
    if horizon == 1:
        return f"{score.rows:,} {step}"
    return f"the next {horizon:,} {step}, from {score.rows:,} origins"


def skill_of(score: SeriesScore, judged_on: JudgedOn) -> tuple[float | None, str | None]:
    """Return the skill against persistence over the horizon, or why it is null."""
    if judged_on == "training":
        return None, "nothing was held out: the figures are on the rows it was trained on"
    measured = score.over_horizon.against[PERSISTENCE].skill
    if measured is not None:
        return measured, None
    return None, "repeating the last value makes no error on the judged rows"


def notes_of(score: SeriesScore) -> tuple[str, ...]:
    """Return what else affects how to read the figures."""
    notes = []
    check = score.lag_copy
    if check is not None and check.copies:
        better = score.against[PERSISTENCE].verdict == "better"
        notes.append(
            "the forecasts mostly copy the previous value (RMSE "
            f"{_figures(check.error_to_previous, check.error)} for the value that they forecast), "
            + ("but they add something to it" if better else "so a plot looks better than it is")
        )
    left_out = [each.series for each in score.each if each.scale is None]
    if score.pooled and left_out:
        notes.append(
            f"{len(left_out)} series, {left_out[0]!r} for one, have no rows or no changes before "
            "the judged rows: without a scale they are not in the pooled figures"
        )
    return tuple(notes)


def step_name(frequency: str | None) -> str:
    """Return what a row is called, in the plural."""
    if frequency is None:
        return "rows"
    count, unit = split_frequency(frequency)
    return STEP_NAMES.get(unit, "steps") if count == 1 else "steps"


def _beaten_by(scores: Scores) -> str:
    """Name the simple forecast that is significantly better than model and last value, if any."""
    least = min(scores.model.rmse, scores.baselines[PERSISTENCE].rmse)
    ahead = [
        (scores.baselines[name].rmse, name)
        for name, against in scores.against.items()
        if name in SPOKEN
        and against.verdict == "worse"
        and against.rows == scores.against[PERSISTENCE].rows
        and scores.baselines[name].rmse < least
    ]
    if not ahead:
        return ""
    error, name = min(ahead)
    return f"; {SPOKEN[name]} does better, with {error:.3g}"


def _figures(error: float, other: float) -> str:
    """Return two errors with as many digits as are needed to see that they differ, at most six."""
    for digits in (3, 4, 5, 6):
        first, second = f"{error:.{digits}g}", f"{other:.{digits}g}"
        if first != second or math.isclose(error, other, rel_tol=1e-9):
            break
    return f"{first} against {second}"
