"""Answer questions to `universal`, many together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.artifact.files import SEASON_PERIODS
from app.errors import FieldError, Unprocessable
from app.forecasting.frequencies import SEASONS_TOLD, Periods
from app.forecasting.season import detected_periods
from app.predictions.graph_runs import Floats, fed_back, forecast, forecast_with_intervals
from app.predictions.loaded import Loaded
from app.predictions.questions import Outcome, Work
from app.predictions.series import TOO_LARGE, parts_shown, steps_fitting, steps_shown
from app.predictions.times import Stamps
from app.predictions.universal.history import History
from app.predictions.universal.rolling import widened

NO_BOUNDS: Floats = np.empty(0)


class AnyQuestion(NamedTuple):
    """What a request asks of a version for any series, and the cost of answering it."""

    version: Loaded
    history: History
    steps: int
    stamps: Stamps | None
    levels: tuple[int, ...]  # of the intervals, in rising order; empty: no intervals
    warnings: tuple[str, ...]
    answer_size: int  # forecasts and intervals in the answer
    seconds: float  # the time that answering takes on its own
    added_seconds: float  # the time that answering adds to a run

    def what_fits(self, seconds: float) -> FieldError:
        """Say how much of the question could be answered in this many seconds."""
        return steps_fitting(self.version, self.steps, self.seconds, fitting=seconds)

    @staticmethod
    def answer(questions: "Sequence[AnyQuestion]") -> "Work[list[Outcome]]":
        """Answer questions for one version, in order."""
        return answer(questions)


def answer(questions: Sequence[AnyQuestion]) -> Work[list[Outcome]]:
    """Answer questions for one version, in order."""
    version = questions[0].version
    told = [periods_told(question) for question in questions]
    yield
    windows = windows_of(questions)
    beside = {SEASON_PERIODS: np.array([periods for periods, _ in told], np.int64)}
    levels = sorted({level for question in questions for level in question.levels})
    bounds = NO_BOUNDS
    if levels:
        first, bounds = yield from forecast_with_intervals(version, windows, levels, beside)
    else:
        first = yield from forecast(version, windows, beside)
    steps = np.array([question.steps for question in questions])
    forecasts = first
    if steps.max() > version.manifest.horizon:
        forecasts = yield from fed_back(version, windows, first, steps, beside=beside)
        bounds = widened(bounds, first, forecasts) if levels else bounds
    return [
        _shown(question, forecasts[row], bounds[row] if levels else None, levels, warnings)
        for row, (question, (_, warnings)) in enumerate(zip(questions, told, strict=True))
    ]


def periods_told(question: AnyQuestion) -> tuple[Periods, tuple[str, ...]]:
    """Return the periods of a history's seasons, and all warnings."""
    history, warnings = question.history, question.warnings
    if history.periods is not None:
        return history.periods, warnings
    longest = question.version.reach.window // SEASONS_TOLD
    found = detected_periods(history.values, longest=longest)
    if not found[0]:
        return found, (*warnings, "no season was found in the history, so none is forecast")
    told = " and ".join(str(period) for period in found if period)
    return found, (
        *warnings,
        f"a season of {told} steps was found in the values; it is surer with timestamps",
    )


def windows_of(questions: Sequence[AnyQuestion]) -> Floats:
    """Return the histories at the ends of windows, (questions, window, 1); NaN before them."""
    windows = np.full((len(questions), questions[0].version.reach.window, 1), np.nan)
    for window, question in zip(windows, questions, strict=True):
        values = question.history.values
        window[len(window) - len(values) :, 0] = values
    return windows


def _shown(
    question: AnyQuestion,
    forecasts: Floats,
    bounds: Floats | None,
    levels: list[int],
    warnings: tuple[str, ...],
) -> Outcome:
    """Return the parts of an answer, or why there is none.

    Args:
        question: decides steps and levels.
        forecasts: (at least the steps,).
        bounds: (at least the steps, levels, 2), or None without levels.
        levels: of the bounds.
        warnings: all of them.
    """
    own = forecasts[: question.steps]
    predictions = steps_shown(own.tolist())
    is_finite = bool(np.isfinite(own).all())
    if bounds is not None and question.levels:
        places = [levels.index(level) for level in question.levels]
        ends = bounds[: question.steps, places]
        is_finite = is_finite and bool(np.isfinite(ends).all())
        for prediction, step in zip(predictions, ends.tolist(), strict=True):
            prediction["intervals"] = [
                {"level": level, "low": low, "high": high}
                for level, (low, high) in zip(question.levels, step, strict=True)
            ]
    if not is_finite:
        return Unprocessable.at("history", TOO_LARGE)
    history = question.history
    if question.stamps is not None and history.frequency is not None:
        times = question.stamps.continued(history.frequency, question.steps, history.calendar)
        for prediction, time in zip(predictions, times, strict=False):
            prediction["timestamp"] = time
    return parts_shown(question.version, predictions, list(warnings))
