"""How a forecast of `universal` depends on each past value, measured on the graph itself.

`universal` forecasts in units of the distances d from the last value, so its forecast f is, but for
how far zero is away, homogeneous: f(d) is the sum of d_i · ∂f/∂d_i (Euler). The contribution of a
past value is that product. It is the same along the whole way from a flat history to the real one,
which makes it the integrated gradient as well. The derivative is a central difference.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from app.artifact.files import FORECAST, HISTORY, SEASON_PERIODS
from app.errors import StepaheadError, Unprocessable
from app.explanations.schemas import Anchor, ExplainRequest, SeriesExplanation, SeriesInfluence
from app.predictions.loaded import Loaded
from app.predictions.questions import completed
from app.predictions.schemas import Interval, PredictRequest, SeriesStep
from app.predictions.universal.answering import AnyQuestion, answer, periods_told, windows_of

Floats = NDArray[np.float64]

STEPS = TypeAdapter(list[SeriesStep])
STEP = 0.05  # of the difference, as a share of each distance from the last value
PER_RUN = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Contributions:
    """A forecast split up by past values."""

    forecast: Floats  # (horizon,)
    shares: Floats  # (window, horizon); those of the steps not shown together, at the oldest

    def scaled_to(self, change: Floats) -> Floats:
        """Return the shares so that they sum to a change (horizon,)."""
        together = self.shares.sum(axis=0)
        factor = np.divide(change, together, out=np.zeros_like(change), where=together != 0)
        result: Floats = self.shares * factor
        return result


def contributions(run: Callable[[Floats], Floats], values: Floats, *, shown: int) -> Contributions:
    """Measure what the values of a window contribute.

    Args:
        run: returns forecasts (n, horizon) from windows (n, window).
        values: (window,), the last one known; NaN where missing.
        shown: how many of the newest values are measured one by one.
    """
    distance = np.nan_to_num(values - values[-1])
    moved = [[row] for row in range(len(values) - shown, len(values)) if distance[row]]
    earlier = np.flatnonzero(distance[: len(values) - shown])
    if len(earlier):
        moved.append(earlier.tolist())
    windows = np.tile(values, (2 * len(moved) + 1, 1))
    for number, rows in enumerate(moved):
        windows[2 * number, rows] += STEP * distance[rows]
        windows[2 * number + 1, rows] -= STEP * distance[rows]
    given = np.concatenate(
        [run(windows[start : start + PER_RUN]) for start in range(0, len(windows), PER_RUN)]
    )
    shares = np.zeros((len(values), given.shape[1]))
    for number, rows in enumerate(moved):
        shares[rows[0]] = (given[2 * number] - given[2 * number + 1]) / (2 * STEP)
    return Contributions(forecast=given[-1], shares=shares)


def explain(
    version: Loaded, request: ExplainRequest, *, question: AnyQuestion, asked: PredictRequest
) -> SeriesExplanation:
    """Explain a forecast of `universal`.

    Args:
        version: that would answer.
        request: what to explain and to show.
        question: the prediction, as `POST /predict` reads it.
        asked: the request, with the stored history if it named a dataset.

    Raises:
        Unprocessable: the version does not forecast this step at once.
    """
    ahead = _ahead(version, request)
    periods, warnings = periods_told(question)
    window = windows_of([question])[0, :, 0]
    length = len(question.history.values)
    shown = min(request.steps, length)

    def run(windows: Floats) -> Floats:
        told = np.array([periods] * len(windows), np.int64)
        inputs = {HISTORY: windows[:, :, None], SEASON_PERIODS: told}
        given: Floats = version.run(inputs, [FORECAST])[FORECAST]
        return given

    found = contributions(run, window, shown=shown)
    own, last = found.shares[:, ahead - 1], float(window[-1])
    value = float(found.forecast[ahead - 1])
    return SeriesExplanation(
        model=version.model,
        version=version.number,
        kind="series",
        member=1,
        members=1,
        cell="lstm",
        steps=length,
        shown=shown,
        forecasts=found.forecast.tolist(),
        ahead=ahead,
        intervals=_intervals(question, ahead),
        value=value,
        anchor=Anchor(name="persistence", season=None, value=last, start=last, earlier=0.0),
        raised=0.0,
        baseline=0.0,
        gap=value - last - float(own.sum()),
        earlier=float(own[:-shown].sum()),
        inputs=_inputs(version, window, own, asked, shown=shown),
        layers=[],
        skill=None,
        warnings=list(warnings),
    )


def _ahead(version: Loaded, request: ExplainRequest) -> int:
    """Return the step that is explained."""
    ahead, horizon = request.ahead or 1, version.manifest.horizon
    if ahead > horizon:
        raise Unprocessable.at(
            "ahead",
            f"is {ahead}, but {version} forecasts {horizon} steps at once; beyond that, forecasts "
            "are fed back and depend on several predictions",
        )
    return ahead


def _intervals(question: AnyQuestion, ahead: int) -> list[Interval] | None:
    """Return the intervals of one step, from the version's graph."""
    if not question.levels:
        return None
    (outcome,) = completed(answer([question._replace(steps=ahead)]))
    if isinstance(outcome, StepaheadError):
        raise outcome
    return STEPS.validate_python(outcome["predictions"])[ahead - 1].intervals


def _inputs(
    version: Loaded, window: Floats, influence: Floats, asked: PredictRequest, *, shown: int
) -> list[SeriesInfluence]:
    """Return the known values among the steps shown, oldest first."""
    described = version.manifest.series
    name = "value" if described is None else described.target
    rows = np.flatnonzero(np.isfinite(window[-shown:])) + len(window) - shown
    given = (asked.timestamps or [])[-len(rows) :]
    times: list[str | None] = [*[None] * (len(rows) - len(given)), *given]
    return [
        SeriesInfluence(
            step=int(row) - len(window) + 1,
            timestamp=time,
            values={name: float(window[row])},
            influence={name: float(influence[row])},
            anchor=0.0,
        )
        for row, time in zip(rows, times, strict=True)
    ]
