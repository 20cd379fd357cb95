"""Two versions side by side: what is measured, on which rows, and whether a lead is noise."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard, SeriesScore, TextScore
from app.forecasting.metrics import diebold_mariano
from app.judging.figures import SIGNIFICANT, against
from app.judging.horizon import horizon_of
from app.language.ngram import BASELINE_ORDERS

Floats = NDArray[np.float64]


class Judged(Protocol):
    """A version with its scorecard."""

    @property
    def manifest(self) -> Manifest:
        """What the version is."""

    @property
    def scorecard(self) -> Scorecard:
        """How good it is."""


@dataclass(frozen=True, kw_only=True)
class Lead:
    """What a smaller error is worth."""

    more_than_noise: bool
    words: str  # for example "p = 0.003"
    test: dict[str, Any]  # for the comparison of the decision


def measure_of(scorecard: Scorecard) -> str:
    """Return the name of the error that decides."""
    return "RMSE" if scorecard.series is not None else "bits per token"


def judged_rows(scorecard: Scorecard) -> int:
    """Return the number of judged rows, or of judged tokens."""
    if scorecard.series is not None:
        return scorecard.series.rows
    return 0 if scorecard.text is None else scorecard.text.tokens


def same_rows(one: Judged, other: Judged) -> bool:
    """Return whether two scorecards are about the same rows, as far as they can tell."""
    old, new = one.scorecard, other.scorecard
    if old.judged_on != new.judged_on:
        return False
    if old.series is not None and new.series is not None:
        return _rows(old.series) == _rows(new.series)
    if old.text is not None and new.text is not None:
        return (
            old.text.tokens == new.text.tokens
            and _ngrams(old.text) == _ngrams(new.text)
            and _judged_vocabulary(one.manifest) == _judged_vocabulary(other.manifest)
        )
    return False


def lead_of(
    challenger: Scorecard, champion: Scorecard, *, gain: float, rows: int, steps: int = 1
) -> Lead:
    """Judge a challenger's lead, where both scorecards are about the same rows.

    If both have their errors row by row, a Diebold-Mariano test on these rows decides (scorecards
    keep the last 2,000). The lead must exist on these rows too, and noise alone must give such a
    lead in less than 5 % of cases. Otherwise the gain must exceed two standard errors of an RMSE
    over that many rows, sqrt(2 steps / rows), because forecasts of several steps overlap.

    Args:
        challenger: the one with the smaller error.
        champion: the other.
        gain: 1 - challenger's error / champion's error.
        rows: number of judged rows.
        steps: number of steps ahead that the errors cover.
    """
    tested = _tested(challenger, champion, steps)
    if tested is not None:
        count, statistic, p = tested
        leads = statistic < 0
        return Lead(
            more_than_noise=leads and p < SIGNIFICANT,
            words=f"p = {p:.2g}" if leads else f"it is worse on the last {count} of them",
            test={
                "name": "Diebold-Mariano",
                "rows": count,
                "statistic": statistic,
                "p_value": p,
                "needed": SIGNIFICANT,
            },
        )
    margin = math.sqrt(2 * steps / rows)
    return Lead(
        more_than_noise=gain > margin,
        words=f"{gain:.2%} better; without errors row by row, more than {margin:.2%} is needed",
        test={"name": "margin", "rows": rows, "gain": gain, "needed": margin},
    )


def _tested(
    challenger: Scorecard, champion: Scorecard, steps: int
) -> tuple[int, float, float] | None:
    """Return rows, statistic and p-value of the test; None: there is none."""
    if challenger.series is not None and champion.series is not None:
        return _series_test(challenger.series, champion.series, steps)
    if challenger.text is None or champion.text is None:
        return None
    ours, theirs = np.array(challenger.text.curve), np.array(champion.text.curve)
    if not len(ours) or len(ours) != len(theirs):
        return None
    found = diebold_mariano(ours, theirs, power=1.0)
    return _told(len(ours), found.statistic, found.p_value)


def _series_test(
    challenger: SeriesScore, champion: SeriesScore, steps: int
) -> tuple[int, float, float] | None:
    if not challenger.curve or len(challenger.curve) != len(champion.curve):
        return None
    scales = {each.series: each.scale for each in challenger.each}
    unit = np.array(
        [scales.get(point.series or "") or math.nan for point in challenger.curve]
        if challenger.pooled
        else [1.0] * len(challenger.curve)
    )
    ours, theirs = _errors(challenger, steps) / unit, _errors(champion, steps) / unit
    there = np.isfinite(ours) & np.isfinite(theirs)
    if not there.any():
        return None
    times = [str(point.time) for point in challenger.curve]
    timed = challenger.pooled and all(point.time is not None for point in challenger.curve)
    moments = np.unique(np.array(times), return_inverse=True)[1] if timed else None
    found = against(
        ours[there, None],
        theirs[there, None],
        moments=None if moments is None else moments[there],
        horizon=steps,
    )
    return _told(int(there.sum()), found.statistic, found.p_value)


def _errors(score: SeriesScore, steps: int) -> Floats:
    """Return the error of each judged row over so many steps, NaN where a row does not have it."""
    if steps == 1:
        return np.array([point.forecast - point.actual for point in score.curve])
    if horizon_of(score) != steps:
        return np.full(len(score.curve), np.nan)
    return np.array([point.horizon_rmse for point in score.curve], dtype=np.float64)


def _told(rows: int, statistic: float | None, p: float | None) -> tuple[int, float, float] | None:
    if statistic is None or p is None or not math.isfinite(p):
        return None
    return rows, statistic, p


def _rows(score: SeriesScore) -> tuple[object, ...]:
    actuals = [(point.series, point.time, point.actual) for point in score.curve]
    return score.rows, score.start, score.end, actuals


def _ngrams(score: TextScore) -> list[float | None]:
    return [score.baselines.get(name) for name in BASELINE_ORDERS]


def _judged_vocabulary(manifest: Manifest) -> tuple[str, ...] | None:
    if manifest.text is None:
        return None
    return manifest.text.judged_vocabulary or manifest.text.vocabulary
