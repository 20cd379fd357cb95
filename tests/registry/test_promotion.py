from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy

from app.artifact.manifest import Manifest
from app.artifact.scorecard import (
    CurvePoint,
    EachScores,
    Errors,
    Scorecard,
    Scores,
    StepScores,
)
from app.registry.promotion import Contender, Decision, decide, incompatibilities
from tests.registry.records import series_manifest, series_scorecard, text_manifest, text_scorecard


def contender(number: int, manifest: Manifest, scorecard: Scorecard) -> Contender:
    return Contender(number=number, manifest=manifest, scorecard=scorecard)


CHAMPION = contender(1, series_manifest(), series_scorecard(rmse=2.0))


def judged(scorecard: Scorecard, manifest: Manifest | None = None) -> Decision:
    return decide(
        champion=CHAMPION, challenger=contender(2, manifest or series_manifest(), scorecard)
    )


def test_the_first_version_becomes_champion_with_its_verdict() -> None:
    decision = decide(champion=None, challenger=CHAMPION)

    assert decision.promoted
    assert "RMSE 2.0" in decision.reason


def test_a_better_one_on_the_same_rows_becomes_champion() -> None:
    decision = judged(series_scorecard(rmse=1.5))

    assert decision.promoted
    assert decision.reason.startswith(
        "beats champion 1: RMSE 1.5 against 2 on the same 100 rows, more than noise"
    )
    assert decision.comparison == {
        "measure": "RMSE",
        "rows": 100,
        "champion": {"version": 1, "error": 2.0},
        "challenger": {"version": 2, "error": 1.5},
        "test": {
            "name": "margin",
            "rows": 100,
            "gain": 0.25,
            "needed": pytest.approx(0.1414, abs=1e-4),
        },
    }


def test_a_tenth_of_a_percent_is_noise() -> None:
    decision = judged(series_scorecard(rmse=1.998))

    assert not decision.promoted
    assert "its lead over champion 1 is within noise (0.10% better" in decision.reason
    assert decision.comparison is not None


def with_errors(errors: np.ndarray[Any, Any]) -> Scorecard:
    curve = tuple(
        CurvePoint(time=f"2017-{row:04d}", actual=5.0, forecast=5.0 + error, persistence=5.0)
        for row, error in enumerate(errors.tolist())
    )
    return series_scorecard(rmse=float(np.sqrt(np.mean(errors**2))), rows=len(errors), curve=curve)


def test_errors_row_by_row_are_tested() -> None:
    errors = np.random.default_rng(0).normal(size=100)
    champion = contender(1, series_manifest(), with_errors(errors))
    # Slightly better on every row is a real lead; much better on two rows is luck.
    steady = with_errors(errors * 0.98)
    lucky = errors.copy()
    lucky[np.argsort(-np.abs(errors))[:1]] = 0.0
    won = decide(champion=champion, challenger=contender(2, series_manifest(), steady))
    waits = decide(
        champion=champion, challenger=contender(2, series_manifest(), with_errors(lucky))
    )

    expected = scipy.stats.ttest_1samp((errors * 0.98) ** 2 - errors**2, 0.0)
    assert won.promoted
    assert won.comparison is not None
    assert won.comparison["test"]["name"] == "Diebold-Mariano"
    assert won.comparison["test"]["p_value"] == pytest.approx(expected.pvalue)
    assert not waits.promoted
    assert "is within noise (p = 0.32)" in waits.reason


def ahead(errors: np.ndarray[Any, Any], *, first: float) -> Scorecard:
    """Return errors over two steps ahead, row by row, and those of the first step only."""
    curve = tuple(
        CurvePoint(
            time=f"2017-{row:04d}",
            actual=5.0,
            forecast=5.0 + first,
            persistence=5.0,
            horizon_rmse=error if row < len(errors) - 1 else None,
        )
        for row, error in enumerate(np.abs(errors).tolist())
    )
    whole = float(np.sqrt(np.mean(errors**2)))
    card = series_scorecard(rmse=first, rows=len(errors), curve=curve)
    assert card.series is not None
    figures: dict[str, Any] = {"rows": len(errors), "baselines": {}, "against": {}}
    steps = tuple(
        StepScores(step=step, model=Errors(rmse=error, mae=error), **figures)
        for step, error in ((1, first), (2, float(np.sqrt(2 * whole**2 - first**2))))
    )
    together = Scores(model=Errors(rmse=whole, mae=whole), **figures)
    series = card.series.model_copy(update={"steps": steps, "all_steps": together})
    return card.model_copy(update={"series": series})


def test_the_whole_horizon_decides_and_not_its_first_step() -> None:
    errors = np.random.default_rng(0).normal(size=100)
    champion = contender(1, series_manifest(), ahead(errors, first=0.1))
    challenger = contender(2, series_manifest(), ahead(0.9 * errors, first=0.2))
    decision = decide(champion=champion, challenger=challenger)

    assert decision.promoted
    assert decision.reason.startswith("beats champion 1: RMSE over 2 steps ")
    assert decision.comparison is not None
    assert decision.comparison["test"]["name"] == "Diebold-Mariano"
    assert decision.comparison["test"]["rows"] == 99


def test_versions_of_unlike_horizons_are_compared_over_the_steps_of_both() -> None:
    errors = np.random.default_rng(0).normal(size=100)
    champion = contender(1, series_manifest(), with_errors(np.full(100, 0.15)))
    challenger = contender(2, series_manifest(), ahead(errors, first=0.1))
    decision = decide(champion=champion, challenger=challenger)

    assert decision.comparison is not None
    assert decision.comparison["measure"] == "RMSE"
    assert decision.comparison["champion"]["error"] == pytest.approx(0.15)
    assert decision.comparison["challenger"]["error"] == pytest.approx(0.1)


def test_errors_of_several_series_are_scaled_and_added_by_moment() -> None:
    chance = np.random.default_rng(0)
    errors, better = chance.normal(size=(60, 2)), 0.95 + 0.1 * chance.normal(size=(60, 2))
    champion, challenger = pooled(errors), pooled(errors * better)
    decision = decide(
        champion=contender(1, series_manifest(), champion),
        challenger=contender(2, series_manifest(), challenger),
    )

    losses = [(each**2).sum(axis=1) for each in (errors * better, errors)]
    assert decision.comparison is not None
    assert decision.comparison["test"] == {
        "name": "Diebold-Mariano",
        "rows": 120,
        "statistic": pytest.approx(scipy.stats.ttest_1samp(losses[0] - losses[1], 0).statistic),
        "p_value": pytest.approx(scipy.stats.ttest_1samp(losses[0] - losses[1], 0).pvalue),
        "needed": 0.05,
    }


def test_errors_of_several_series_without_times_count_row_by_row() -> None:
    errors = np.random.default_rng(0).normal(size=(60, 2))
    decision = decide(
        champion=contender(1, series_manifest(), pooled(errors, timed=False)),
        challenger=contender(2, series_manifest(), pooled(errors * 0.9, timed=False)),
    )

    rows = (errors**2).ravel()
    assert decision.comparison is not None
    assert decision.comparison["test"]["p_value"] == pytest.approx(
        scipy.stats.ttest_1samp(-0.19 * rows, 0).pvalue
    )


def pooled(errors: np.ndarray[Any, Any], *, timed: bool = True) -> Scorecard:
    """Return errors (times, 2) of two series in units of their scales, and one without a scale."""
    scales = {"small": 1.0, "large": 1000.0, "still": None}
    columns = zip((*errors.T, 1e9 * errors[:, 0].round()), scales.items(), strict=True)
    curve = tuple(
        CurvePoint(
            series=series,
            time=f"2017-{row:04d}" if timed else None,
            actual=5.0,
            forecast=5.0 + error * (scale or 1.0),
            persistence=5.0,
        )
        for column, (series, scale) in columns
        for row, error in enumerate(column.tolist())
    )
    rmse = float(np.sqrt(np.mean(errors**2)))
    card = series_scorecard(rmse=rmse, rows=len(curve), curve=curve)
    assert card.series is not None
    each = tuple(
        EachScores(
            series=series,
            scale=scale,
            season=None,
            rows=len(errors),
            model=card.series.model,
            baselines={},
            against={},
        )
        for series, scale in scales.items()
    )
    series = card.series.model_copy(update={"pooled": True, "each": each})
    return card.model_copy(update={"series": series})


def test_errors_that_differ_by_a_constant_are_compared_by_their_size() -> None:
    decision = decide(
        champion=contender(1, series_manifest(), with_errors(np.full(40, 2.0))),
        challenger=contender(2, series_manifest(), with_errors(np.full(40, 1.0))),
    )
    assert decision.promoted
    assert decision.comparison is not None
    assert decision.comparison["test"]["name"] == "margin"


def test_a_lead_that_is_lost_on_the_latest_rows_does_not_count() -> None:
    errors = np.random.default_rng(0).normal(size=100)
    # Scorecards only contain the last rows: better over all rows, but recently clearly worse.
    late = with_errors(errors * 1.1)
    assert late.series is not None
    whole = late.series.model.model_copy(update={"rmse": 0.5})
    decision = decide(
        champion=contender(1, series_manifest(), with_errors(errors)),
        challenger=contender(
            2,
            series_manifest(),
            late.model_copy(update={"series": late.series.model_copy(update={"model": whole})}),
        ),
    )
    assert not decision.promoted
    assert "within noise (it is worse on the last 100 of them)" in decision.reason


def test_of_equals_few_become_champion() -> None:
    generator = np.random.default_rng(1)
    promoted = 0
    for _ in range(200):
        shared = generator.normal(size=60)
        champion, challenger = (
            with_errors(shared + 0.1 * generator.normal(size=60)) for _ in range(2)
        )
        promoted += decide(
            champion=contender(1, series_manifest(), champion),
            challenger=contender(2, series_manifest(), challenger),
        ).promoted
    assert promoted <= 12  # 2.5 % expected: one side of a 5 % test


def test_texts_are_tested_token_by_token() -> None:
    bits = np.random.default_rng(2).exponential(2.0, size=80)
    champion = text_of(bits)
    for better, promoted in ((bits * 0.9, True), (np.where(bits == bits.max(), 0.0, bits), False)):
        decision = decide(
            champion=contender(1, text_manifest(), champion),
            challenger=contender(2, text_manifest(), text_of(better)),
        )
        assert decision.promoted is promoted
        assert decision.comparison is not None
        assert decision.comparison["test"]["statistic"] == pytest.approx(
            scipy.stats.ttest_1samp(better - bits, 0).statistic
        )


def text_of(bits: np.ndarray[Any, Any]) -> Scorecard:
    card = text_scorecard(bits=float(bits.mean()), tokens=len(bits))
    assert card.text is not None
    text = card.text.model_copy(update={"curve": tuple(bits.tolist())})
    return card.model_copy(update={"text": text})


@pytest.mark.parametrize("rmse", [2.0, 2.1])
def test_one_that_is_not_better_waits_with_the_figures(rmse: float) -> None:
    decision = judged(series_scorecard(rmse=rmse))

    assert not decision.promoted
    assert "does not beat champion 1" in decision.reason
    assert decision.comparison is not None


CURVE = (CurvePoint(time="2017-01-02", actual=3.0, forecast=1.0, persistence=1.0),)


@pytest.mark.parametrize(
    ("manifest", "scorecard", "reason"),
    [
        (series_manifest(), series_scorecard(rmse=1, end="2017-06-01"), "different rows"),
        (series_manifest(), series_scorecard(rmse=1, rows=99), "different rows"),
        (series_manifest(), series_scorecard(rmse=1, curve=CURVE), "different rows"),
        (series_manifest(dataset_id="E"), series_scorecard(rmse=1), "different datasets"),
        (series_manifest(dataset_id=None), series_scorecard(rmse=1), "different datasets"),
        (series_manifest(test_dataset_id="T"), series_scorecard(rmse=1), "different test sets"),
        (series_manifest(), series_scorecard(rmse=1, judged_on="test"), "a test set"),
        (series_manifest(), series_scorecard(rmse=1, judged_on="training"), "it was fitted on"),
        (series_manifest(start_from="a@1"), series_scorecard(rmse=1), "started from a@1"),
        (series_manifest(min_history=60), series_scorecard(rmse=1), "at least 60 past steps"),
        (series_manifest(features=("Close",)), series_scorecard(rmse=1), "its inputs are 'Close'"),
        (series_manifest(target="Close"), series_scorecard(rmse=1), "it forecasts 'Close'"),
        (series_manifest(), series_scorecard(rmse=float("nan")), "undefined for it"),
    ],
)
def test_what_cannot_be_compared_waits_with_the_reason(
    manifest: Manifest, scorecard: Scorecard, reason: str
) -> None:
    decision = judged(scorecard, manifest)

    assert not decision.promoted
    assert decision.reason.startswith("waits beside champion 1: ")
    assert reason in decision.reason
    assert decision.comparison is None


@pytest.mark.parametrize("card", [series_scorecard, text_scorecard])
def test_fewer_than_thirty_rows_decide_nothing(card: Callable[..., Scorecard]) -> None:
    manifest, size, error = (
        (series_manifest(), "rows", "rmse")
        if card is series_scorecard
        else (text_manifest(), "tokens", "bits")
    )
    few, enough = (
        decide(
            champion=contender(1, manifest, card(**{error: 2.0, size: count})),
            challenger=contender(2, manifest, card(**{error: 1.0, size: count})),
        )
        for count in (29, 30)
    )

    assert not few.promoted
    assert "29 judged rows are too few" in few.reason
    assert enough.promoted


def test_a_champion_that_was_warm_started_is_not_compared_with() -> None:
    champion = contender(3, series_manifest(start_from="a@1"), series_scorecard())

    decision = decide(
        champion=champion, challenger=contender(4, series_manifest(), series_scorecard(rmse=1))
    )

    assert not decision.promoted
    assert "version 3 was started from a@1" in decision.reason


def test_the_same_test_set_after_the_same_dataset_can_be_compared() -> None:
    manifest = series_manifest(test_dataset_id="T")

    decision = decide(
        champion=contender(1, manifest, series_scorecard(judged_on="test", rmse=2)),
        challenger=contender(2, manifest, series_scorecard(judged_on="test", rmse=1)),
    )

    assert decision.promoted


def judging(manifest: Manifest, *vocabulary: str) -> Manifest:
    """Return a scorecard judged with the vocabulary from before the refit."""
    assert manifest.text is not None
    text = manifest.text.model_copy(update={"judged_vocabulary": vocabulary})
    return manifest.model_copy(update={"text": text})


def otherwise(given: Contender) -> Contender:
    """Return a scorecard judged on another text, as its baselines' figures show."""
    assert given.scorecard.text is not None
    text = given.scorecard.text.model_copy(update={"baselines": {"trigram": 3.5}})
    return replace(given, scorecard=given.scorecard.model_copy(update={"text": text}))


def test_texts_are_compared_by_bits_per_token_over_one_vocabulary() -> None:
    champion = contender(1, text_manifest(), text_scorecard(bits=2.0))
    better = contender(2, text_manifest(), text_scorecard(bits=1.0))
    larger = contender(2, text_manifest(vocabulary=("a", "b", "c")), text_scorecard(bits=1.0))
    same = contender(
        2, judging(text_manifest(vocabulary=("a", "b", "c")), "a", "b"), text_scorecard(bits=1.0)
    )
    longer = contender(2, text_manifest(), text_scorecard(bits=1.0, tokens=101))
    undefined = contender(2, text_manifest(), text_scorecard(bits=None))

    assert decide(champion=champion, challenger=better).promoted
    assert decide(champion=champion, challenger=same).promoted
    assert "different rows" in decide(champion=champion, challenger=larger).reason
    assert "different rows" in decide(champion=champion, challenger=longer).reason
    assert "different rows" in decide(champion=champion, challenger=otherwise(better)).reason
    assert "undefined for it" in decide(champion=champion, challenger=undefined).reason
    assert "undefined for the champion" in decide(champion=undefined, challenger=better).reason
    assert "undefined for both" in decide(champion=undefined, challenger=undefined).reason


def test_the_same_or_fewer_demands_hinder_nothing() -> None:
    assert incompatibilities(series_manifest(min_history=60), series_manifest(min_history=1)) == ()
    assert (
        incompatibilities(
            series_manifest(features=("Open", "High")), series_manifest(features=("High", "Open"))
        )
        == ()
    )
    assert incompatibilities(text_manifest(), text_manifest(vocabulary=("b", "a", "c"))) == ()
    assert (
        incompatibilities(text_manifest(), text_manifest(vocabulary=("x",), unknown="<unk>")) == ()
    )
    assert incompatibilities(series_manifest(horizon=7), series_manifest(horizon=1)) == ()


@pytest.mark.parametrize(
    ("served", "new", "words"),
    [
        (series_manifest(), text_manifest(), "of kind text"),
        (series_manifest(), series_manifest(features=("Open", "High")), "'Open', 'High'"),
        (
            series_manifest(features=("Open", "High"), horizon=7),
            series_manifest(features=("Open", "High"), horizon=1),
            "forecasts 1 steps; until now 7",
        ),
        (text_manifest(), text_manifest(vocabulary=("a", "c")), "does not know 'b'"),
        (
            text_manifest(vocabulary=tuple("abcdefgh")),
            text_manifest(vocabulary=("h",)),
            "does not know 'a', 'b', 'c', 'd', 'e', known until now",
        ),
        (text_manifest(unknown="<unk>"), text_manifest(), "refuses unknown tokens"),
        (text_manifest(), text_manifest(tokenizer="char"), "tokenized by char"),
    ],
)
def test_a_new_demand_is_named(served: Manifest, new: Manifest, words: str) -> None:
    (found,) = incompatibilities(served, new)

    assert words in found
