"""Express a series scorecard in words."""

import math
from typing import Literal

from app.artifact.scorecard import Scores, SeriesScore
from app.judging.simple_forecasts import PERSISTENCE, UNIVERSAL
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
MOST_WRITTEN = 1e9  # larger figures have an exponent
SPOKEN = {
    "persistence": "repeating the last value",
    "drift": "continuing the average change",
    "seasonal_naive": "repeating the last season",
    "linear_autoregression": "a linear autoregression",
    "mlp": "a multilayer perceptron",
    "universal": "`universal`",
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
    nearest = PERSISTENCE if judged_on == "training" else _best_baseline(whole)
    model, error = whole.model.rmse, whole.baselines[nearest].rmse
    figures = f"RMSE {_figures(model, error)} over {_judged_rows(score, step, horizon)}"
    if score.pooled:
        figures += f" of {series} series, in units of each one's mean change"
    if judged_on == "training":
        return f"not judged: {figures} on the rows it was trained on, nothing was held out"
    told, name = whole.against[nearest].verdict, SPOKEN[nearest]
    if nearest != PERSISTENCE:
        name += ", the best baseline"
    if model == error:
        sentence = f"as good as {name}: {figures}"
    elif told == "within noise":
        sentence = f"no better than {name}: {figures}, a difference within noise"
    else:
        sentence = f"{'better' if model < error else 'worse'} than {name}: {figures}"
        if told == "not to be told":
            sentence += ", too few to tell it from noise"
    return sentence + _advice(whole, nearest)


def beats_universal(score: SeriesScore) -> bool | None:
    """Return whether it is better than `universal` by more than noise; None: not measured."""
    against = score.over_horizon.against.get(UNIVERSAL)
    return None if against is None else against.verdict == "better"


def _best_baseline(scores: Scores) -> str:
    """Return the baseline with the smallest error, of those measured on the same rows."""
    rows = scores.against[PERSISTENCE].rows
    measured = [
        name for name, against in scores.against.items() if name in SPOKEN and against.rows == rows
    ]
    return min(measured, key=lambda name: scores.baselines[name].rmse)


def _advice(scores: Scores, nearest: str) -> str:
    """Return the end of the verdict, where `universal` would do as well without training."""
    against = scores.against.get(UNIVERSAL)
    if against is None or against.verdict == "better":
        return ""
    if nearest == UNIVERSAL:
        return "; use `universal`, which needs no training"
    error = scores.baselines[UNIVERSAL].rmse
    return f"; no better than `universal` ({written(error)}) beyond noise: use it, without training"


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
    rows, untrained = score.against[PERSISTENCE].rows, score.against.get(UNIVERSAL)
    if untrained is not None and untrained.rows < rows:
        notes.append(
            f"`universal` is compared on {untrained.rows:,} of {rows:,} judged rows: it needs 3 "
            "values before a row, and of very many rows it takes evenly spaced ones"
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


def written(value: float, digits: int = 3) -> str:
    """Return a figure with at least as many significant digits, large ones without an exponent."""
    told = f"{value:.{digits}g}"
    return f"{value:,.0f}" if "e+" in told and abs(value) < MOST_WRITTEN else told


def _figures(error: float, other: float) -> str:
    """Return two errors with as many digits as are needed to see that they differ, at most six."""
    for digits in (3, 4, 5, 6):
        first, second = written(error, digits), written(other, digits)
        if first != second or math.isclose(error, other, rel_tol=1e-9):
            break
    return f"{first} against {second}"
