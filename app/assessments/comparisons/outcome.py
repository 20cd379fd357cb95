"""The outcome of a comparison: which cell is best, and whether that may be noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app.artifact.manifest import Manifest
from app.artifact.scorecard import Against, Scorecard
from app.judging.horizon import horizon_of
from app.judging.series_verdict import SPOKEN
from app.judging.simple_forecasts import BASELINES, MLP
from app.language.ngram import BASELINE_ORDERS
from app.recipes.recipe import Cell
from app.registry.lead import judged_rows, lead_of, measure_of, same_rows

Beside = Literal["best", "worse", "within noise", "not to be told"]
NAMES: Mapping[Cell, str] = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
ORDER = (MLP, *(name for name in BASELINES if name != MLP), *BASELINE_ORDERS)
SIMPLE = {
    **SPOKEN,
    "mlp": "the MLP",
    "unigram": "a unigram",
    "bigram": "a bigram",
    "trigram": "a trigram",
    "ngram": "the best n-gram",
}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A cell whose job has become a version."""

    cell: Cell
    manifest: Manifest
    scorecard: Scorecard

    @property
    def error(self) -> float | None:
        """RMSE, or bits per token; None if it is undefined."""
        return error_of(self.scorecard)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cell compared with the best one."""

    beside: Beside
    p_value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the trained cells show."""

    best: Cell | None
    places: Mapping[Cell, Place]
    verdict: str


def error_of(scorecard: Scorecard) -> float | None:
    """Return RMSE over the horizon, or bits per token, or None if it is undefined."""
    if scorecard.series is not None:
        return scorecard.series.over_horizon.model.rmse
    return None if scorecard.text is None else scorecard.text.bits_per_token


def baseline_errors(scorecard: Scorecard) -> dict[str, float]:
    """Return the error of each baseline that could be measured, the MLP first."""
    given: Mapping[str, float | None] = {}
    if scorecard.series is not None:
        whole = scorecard.series.over_horizon
        given = {name: errors.rmse for name, errors in whole.baselines.items()}
    elif scorecard.text is not None:
        given = scorecard.text.baselines
    ordered = [*ORDER, *(name for name in given if name not in ORDER)]
    return {name: error for name in ordered if (error := given.get(name)) is not None}


def outcome_of(trained: Sequence[Trained]) -> Outcome:
    """Compare the cells with each other, and the best of them with the baselines."""
    measured = sorted(
        (each for each in trained if each.error is not None), key=lambda each: each.error or 0.0
    )
    if not measured:
        told = "nothing to compare: no cell was trained" if not trained else "no cell has figures"
        return Outcome(best=None, places={}, verdict=told)
    best, others = measured[0], measured[1:]
    places = {best.cell: Place(beside="best")}
    places |= {each.cell: _place(best, each) for each in others}
    sentence = _cells(best, others, places)
    if best.scorecard.judged_on == "training":
        sentence = f"not judged, because nothing was held out; on their training data, {sentence}"
    else:
        sentence += _simple(best)
    return Outcome(best=best.cell, places=places, verdict=sentence)


def _place(best: Trained, other: Trained) -> Place:
    """Return whether the best cell's lead over another is more than noise."""
    least, error = best.error, other.error
    if least is None or error is None or not same_rows(best, other):
        return Place(beside="not to be told")
    if least == error:
        return Place(beside="within noise")
    score = best.scorecard.series
    lead = lead_of(
        best.scorecard,
        other.scorecard,
        gain=1 - least / error,
        rows=max(1, judged_rows(best.scorecard)),
        steps=1 if score is None else horizon_of(score),
    )
    return Place(
        beside="worse" if lead.more_than_noise else "within noise",
        p_value=lead.test.get("p_value"),
    )


def _cells(best: Trained, others: Sequence[Trained], places: Mapping[Cell, Place]) -> str:
    measure, name = measure_of(best.scorecard), NAMES[best.cell]
    least = _figure(best)
    if not others:
        return f"only {name} was trained: {measure} {least}"
    beside = [places[each.cell].beside for each in others]
    shown = [f"{_figure(each)} ({NAMES[each.cell]})" for each in others]
    if all(each.error == best.error for each in others):
        names = _listed([name, *(NAMES[each.cell] for each in others)])
        return f"{names} are equal: {measure} {least}"
    if all(each == "within noise" for each in beside):
        names = _listed([name, *(NAMES[each.cell] for each in others)])
        every = ", ".join([f"{least} ({name})", *shown])
        return f"{names} do not differ by more than noise: {measure} {every}"
    if all(each == "worse" for each in beside):
        return f"{name} is best: {measure} {least} against {_listed(shown)}, more than noise"
    words = {"worse": "worse by more than noise", "not to be told": "cannot be compared with it"}
    each_told = [
        f"{NAMES[each.cell]} {_figure(each)}, {words.get(told, told)}"
        for each, told in zip(others, beside, strict=True)
    ]
    return f"{name} has the smallest error: {measure} {least} ({'; '.join(each_told)})"


def _simple(best: Trained) -> str:
    """Return the end of the verdict: the best baseline, and the MLP."""
    errors = baseline_errors(best.scorecard)
    told = {name: each for name, each in _against(best).items() if name in errors}
    whole = [name for name, each in told.items() if each.rows == _compared_rows(best)]
    if not whole:
        return ""
    nearest = min(whole, key=lambda name: errors[name])
    name, error = SIMPLE.get(nearest, nearest), _number(errors[nearest])
    verdict = told[nearest].verdict
    sentence = {
        "better": f"; better than {name} ({error}), the best of the simple forecasts",
        "worse": f"; {name} is better than any of them ({error})",
        "within noise": f"; no better than {name} ({error}), a difference within noise",
        "not to be told": f"; {name} has {error}, which cannot be told from noise",
    }[verdict]
    if nearest != MLP and MLP in told:
        sentence += f"; the MLP has {_number(errors[MLP])}"
    return sentence


def _against(best: Trained) -> Mapping[str, Against]:
    score = best.scorecard
    if score.series is not None:
        return score.series.over_horizon.against
    return {} if score.text is None else score.text.against


def _compared_rows(best: Trained) -> int:
    return max((each.rows for each in _against(best).values()), default=0)


def _figure(trained: Trained) -> str:
    return "–" if trained.error is None else _number(trained.error)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
