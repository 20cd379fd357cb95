from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from app.forecasting import anchors
from app.forecasting.anchor_choice import Block, Fit, choose
from app.forecasting.anchors import (
    Anchor,
    autoregression,
    lags_for,
    last_season,
    last_season_change,
    persistence,
)
from app.forecasting.autoregression import LinearAutoregression
from app.forecasting.baselines import SeasonalNaive
from app.forecasting.windows import Floats, windows

VALUES = np.random.default_rng(3).normal(0.0, 1.0, 200).cumsum() + 50.0


def examples(values: Floats, *, window: int, horizon: int) -> tuple[Floats, Floats]:
    every = windows(values[:, None], values, window=window, horizon=horizon)
    return every.inputs[:, :, 0], every.targets


def test_persistence_repeats_the_last_value() -> None:
    given, _ = examples(VALUES, window=4, horizon=3)
    forecasts = persistence(window=4, horizon=3).forecasts(given)
    np.testing.assert_array_equal(forecasts, np.repeat(given[:, -1:], 3, axis=1))


@pytest.mark.parametrize(("season", "horizon"), [(5, 1), (5, 5), (5, 13), (2, 7), (8, 3)])
def test_last_season_is_the_seasonal_naive_forecast(season: int, horizon: int) -> None:
    window = 9
    given, _ = examples(VALUES, window=window, horizon=horizon)
    origins = np.arange(window, window + len(given))
    expected = SeasonalNaive(period=season).forecasts(VALUES, origins, horizon=horizon)
    anchor = last_season(season=season, window=window, horizon=horizon)
    np.testing.assert_allclose(anchor.forecasts(given), expected)


@pytest.mark.parametrize("horizon", [1, 4, 11])
def test_last_seasons_change_goes_on_with_its_own_forecasts(horizon: int) -> None:
    season, window = 4, 6
    given, _ = examples(VALUES, window=window, horizon=horizon)
    anchor = last_season_change(season=season, window=window, horizon=horizon)
    for row, forecasts in zip(given[:5], anchor.forecasts(given[:5]), strict=True):
        told = list(row)
        for _ in range(horizon):
            told.append(told[-season] + told[-1] - told[-1 - season])
        np.testing.assert_allclose(forecasts, told[window:])


def test_a_trend_with_a_season_is_forecast_exactly_by_its_change() -> None:
    values = 3.0 * np.arange(60) + np.tile([0.0, 5.0, -2.0, 8.0, 1.0], 12)
    given, ahead = examples(values, window=6, horizon=12)
    anchor = last_season_change(season=5, window=6, horizon=12)
    np.testing.assert_allclose(anchor.forecasts(given), ahead)


@pytest.mark.parametrize(("make", "needed"), [(last_season, 7), (last_season_change, 8)])
def test_a_season_longer_than_the_window_is_refused(
    make: Callable[..., Anchor], needed: int
) -> None:
    assert make(season=7, window=needed, horizon=1).season == 7
    with pytest.raises(
        ValueError, match=f"season of 7 takes a window of {needed}, not {needed - 1}"
    ):
        make(season=7, window=needed - 1, horizon=1)


def test_the_autoregression_of_one_series_is_the_baseline_of_scorecards() -> None:
    given, ahead = examples(VALUES, window=6, horizon=3)
    baseline = LinearAutoregression(lags=6, horizon=3).fit(VALUES)
    expected = baseline.forecasts(VALUES, np.arange(6, 6 + len(given)), horizon=3)
    anchor = autoregression(given, ahead, lags=6, alone=True, level=True)
    np.testing.assert_allclose(anchor.forecasts(given), expected)
    baseline = LinearAutoregression(lags=6, horizon=3, level=False).fit(VALUES)
    expected = baseline.forecasts(VALUES, np.arange(6, 6 + len(given)), horizon=3)
    anchor = autoregression(given, ahead, lags=6, alone=True)
    np.testing.assert_allclose(anchor.forecasts(given), expected)


@pytest.mark.parametrize("alone", [True, False])
def test_it_sees_its_lags_and_no_more(*, alone: bool) -> None:
    given, ahead = examples(VALUES, window=9, horizon=1)
    anchor = autoregression(given, ahead, lags=4, alone=alone)
    assert np.flatnonzero(anchor.weights).tolist() == [5, 6, 7]  # differences to the last, 8
    changed = given.copy()
    changed[:, :5] += 100.0
    np.testing.assert_array_equal(anchor.forecasts(changed), anchor.forecasts(given))


def test_small_changes_at_a_high_level_are_not_lost() -> None:
    low, ahead = examples(VALUES - 50.0, window=5, horizon=1)
    anchor, expected = (
        autoregression(low * 1e-3 + level, ahead * 1e-3 + level, lags=5, alone=True, level=True)
        for level in (1e9, 0.0)
    )
    # Doubles near 1e9 are 1e-7 apart.
    np.testing.assert_allclose(
        anchor.forecasts(low * 1e-3 + 1e9) - 1e9, expected.forecasts(low * 1e-3), atol=1e-5
    )


def test_a_shared_autoregression_moves_with_level_and_size() -> None:
    given, ahead = examples(VALUES, window=8, horizon=2)
    first = autoregression(given, ahead, lags=6, alone=False)
    other = autoregression(1e4 - 30 * given, 1e4 - 30 * ahead, lags=6, alone=False)
    np.testing.assert_allclose(other.weights, first.weights, rtol=1e-6, atol=1e-9)
    assert not first.level.any()
    assert not first.intercept.any()
    np.testing.assert_allclose(
        first.forecasts(7 * given - 3), 7 * first.forecasts(given) - 3, rtol=1e-9
    )


def test_a_shared_autoregression_carries_a_line_on_from_windows_that_change() -> None:
    line, ahead = examples(np.arange(17.0), window=4, horizon=2)  # 12 windows
    flat = np.full((30, 4), 5.0)
    given, came = np.concatenate((flat, line)), np.concatenate((flat[:, :2] + 9.0, ahead))
    anchor = autoregression(given, came, lags=4, alone=False)
    np.testing.assert_allclose(anchor.forecasts(line), ahead, atol=1e-4)
    with pytest.raises(ValueError, match="11 examples in which anything changes"):
        autoregression(given[:-1], came[:-1], lags=4, alone=False)


@pytest.mark.parametrize(("alone", "level"), [(True, False), (False, False), (False, True)])
def test_a_window_too_short_for_differences_is_told_as_such(*, alone: bool, level: bool) -> None:
    given, ahead = examples(VALUES, window=1, horizon=1)
    with pytest.raises(ValueError, match="1 past values seen, where differences take 2"):
        autoregression(given, ahead, lags=1, alone=alone, level=level)
    assert autoregression(given, ahead, lags=1, alone=True, level=True).level.any()


@pytest.mark.parametrize("alone", [True, False])
def test_huge_values_are_measured_and_too_few_refused(*, alone: bool) -> None:
    values = VALUES * 1e200
    values[20] = 0.0
    given, ahead = examples(values, window=5, horizon=1)
    assert np.isfinite(autoregression(given, ahead, lags=5, alone=alone).forecasts(given)).all()
    autoregression(given[:12], ahead[:12], lags=2, alone=alone)
    with pytest.raises(ValueError, match="11 examples; at least 12 needed"):
        autoregression(given[:11], ahead[:11], lags=2, alone=alone)


def test_a_series_of_zeros_goes_on_and_one_beyond_all_measure_is_refused() -> None:
    given, ahead = np.zeros((20, 4)), np.zeros((20, 2))
    assert not autoregression(given, ahead, lags=4, alone=True).forecasts(given).any()
    given, ahead = examples(VALUES * 1e-200, window=4, horizon=2)
    with pytest.raises(ValueError, match="too large to be squared"):
        autoregression(given, ahead * 1e200 * 1e200, lags=4, alone=True)


@pytest.mark.parametrize(
    ("rows", "targets", "used"),
    [(40, 10**6, 40), (10**6, 80, 40), (10**6, 2, 12)],
)
def test_of_very_many_examples_the_newest_count(
    monkeypatch: pytest.MonkeyPatch, rows: int, targets: int, used: int
) -> None:
    given, ahead = examples(VALUES, window=5, horizon=2)
    expected = autoregression(given[-used:], ahead[-used:], lags=5, alone=True)
    monkeypatch.setattr(anchors, "MOST_FITTED_ROWS", rows)
    monkeypatch.setattr(anchors, "MOST_FITTED_TARGETS", targets)
    found = autoregression(given, ahead, lags=5, alone=True)
    np.testing.assert_array_equal(found.weights, expected.weights)


def test_of_very_many_examples_of_several_series_some_of_each_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = np.random.default_rng(6).normal(size=400)
    given, ahead = examples(chance, window=5, horizon=1)
    walks, walked = examples(chance.cumsum(), window=5, horizon=1)
    given, ahead = np.concatenate((given, walks)), np.concatenate((ahead, walked))
    every = autoregression(given, ahead, lags=5, alone=False)
    monkeypatch.setattr(anchors, "MOST_FITTED_ROWS", 200)
    some = autoregression(given, ahead, lags=5, alone=False)
    assert 0 < np.abs(some.weights - every.weights).max() < 0.1


def test_lags_are_at_most_a_quarter_of_the_examples() -> None:
    assert (lags_for(400, window=60), lags_for(120, window=60)) == (60, 30)
    # With few rows, half: a season of 12 months occurs in 24 examples.
    assert (lags_for(24, window=60), lags_for(60, window=60), lags_for(60, window=9)) == (12, 24, 9)


def test_arrays_give_the_same_anchor_again() -> None:
    given, ahead = examples(VALUES, window=6, horizon=2)
    for anchor in (
        autoregression(given, ahead, lags=6, alone=True, level=True),
        last_season_change(season=5, window=6, horizon=2),
    ):
        again = Anchor.of_arrays(anchor.arrays(), name=anchor.name, season=anchor.season)
        np.testing.assert_array_equal(again.forecasts(given), anchor.forecasts(given))
        assert (again.name, again.season) == (anchor.name, anchor.season)
    assert persistence(window=6, horizon=2).arrays() == {}
    with pytest.raises(ValueError, match="lacks its array"):
        Anchor.of_arrays({}, name="season", season=5)


def block(values: Floats, *, window: int, later: int) -> Block:
    given, ahead = examples(values, window=window, horizon=1)
    return Block(
        windows=given[:-later],
        targets=ahead[:-later],
        later_windows=given[-later:],
        later_targets=ahead[-later:],
        unit=np.ones((later, 1)),
    )


def seasonal(season: int, window: int) -> tuple[Fit, ...]:
    return (lambda _windows, _targets: last_season(season=season, window=window, horizon=1),)


def regression(*, level: bool) -> Fit:
    def fit(given: Floats, ahead: Floats) -> Anchor:
        lags = lags_for(len(given), window=8)
        return autoregression(given, ahead, lags=lags, alone=True, level=level)

    return fit


REGRESSIONS = (regression(level=False), regression(level=True))


def test_a_seasonal_series_chooses_its_season() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.3, 120)
    values = np.tile([0.0, 9.0, 3.0, -4.0, 6.0, 1.0], 20) + noise
    chosen = choose({"season": seasonal(6, 8)}, [block(values, window=8, later=40)])
    assert (chosen.name, chosen.origins) == ("season", 40)
    assert chosen.errors["season"] == pytest.approx(0.3 * np.sqrt(2), rel=0.3)
    assert chosen.errors["persistence"] > 4


def test_random_walks_mostly_stay_with_persistence() -> None:
    stayed = 0
    for seed in range(30):
        walk = np.random.default_rng(seed).normal(0.0, 1.0, 160).cumsum()
        candidates = {"autoregression": REGRESSIONS, "season": seasonal(7, 8)}
        stayed += choose(candidates, [block(walk, window=8, later=40)]).name == "persistence"
    assert stayed >= 18


def test_a_lead_on_few_origins_is_no_lead() -> None:
    values = np.tile([0.0, 9.0, 3.0, -4.0, 6.0, 1.0], 20)
    for later, name in ((7, "persistence"), (8, "season")):
        blocks = [block(values, window=8, later=later)]
        assert choose({"season": seasonal(6, 8)}, blocks).name == name
    assert choose({}, []).origins == 0


def test_of_several_that_lead_the_best_is_taken_and_of_their_forms_the_one_that_fits() -> None:
    values = np.tile([0.0, 9.0, 3.0, -4.0, 6.0, 1.0], 20) + np.tile([0.0, 0.5], 60)
    values += np.random.default_rng(1).normal(0.0, 0.3, 120)
    half, none = seasonal(3, 8), seasonal(9, 8)
    candidates = {"season": seasonal(6, 8), "half": none + half, "none": none}
    for names in (("season", "half", "none"), ("none", "half", "season")):
        chosen = choose(
            {name: candidates[name] for name in names}, [block(values, window=8, later=40)]
        )
        assert chosen.errors["season"] < chosen.errors["half"] < chosen.errors["persistence"]
        assert chosen.name == "season"
        assert chosen.forms == {"season": 0, "half": 1}
        assert chosen.missing == {"none": "a season of 9 takes a window of 9, not 8"}


def test_errors_are_measured_in_the_unit_of_their_series() -> None:
    blocks = [
        Block(
            windows=np.zeros((1, 2)),
            targets=np.zeros((1, 1)),
            later_windows=np.zeros((4, 2)),
            later_targets=np.full((4, 1), 3.0 * unit),
            unit=np.full((4, 1), unit),
        )
        for unit in (1.0, 1000.0)
    ]
    assert choose({}, blocks).errors == {"persistence": 3.0}


@pytest.mark.parametrize(("in_a_row", "name"), [(True, "persistence"), (False, "one")])
def test_forecasts_that_overlap_are_not_taken_for_many(*, in_a_row: bool, name: str) -> None:
    # Persistence says 0, the candidate 1; of 40 origins 22 are followed by ones.
    came = np.repeat([1.0, 0.0], [22, 18])
    if not in_a_row:
        came = np.random.default_rng(0).permutation(came)
    steady = replace(persistence(window=2, horizon=12), name="one", intercept=np.ones(12))
    origins = Block(
        windows=np.zeros((1, 2)),
        targets=np.zeros((1, 12)),
        later_windows=np.zeros((40, 2)),
        later_targets=np.tile(came[:, None], 12),
        unit=np.ones((40, 1)),
    )
    assert choose({"one": (lambda _windows, _targets: steady,)}, [origins]).name == name


def test_what_cannot_be_fitted_or_measured_is_no_candidate_and_says_why() -> None:
    wild = replace(persistence(window=8, horizon=1), intercept=np.array([np.inf]))
    chosen = choose(
        {"autoregression": REGRESSIONS, "wild": (lambda _windows, _targets: wild,)},
        [block(VALUES[:25], window=8, later=9)],
    )
    assert chosen.name == "persistence"
    assert "examples" in chosen.missing["autoregression"]
    assert "too large to be measured" in chosen.missing["wild"]


def test_the_level_counts_only_where_validation_data_ask_for_it() -> None:
    chance = np.random.default_rng(5).normal(0.0, 1.0, 600)
    walk, returning = chance.cumsum(), np.zeros(600)
    for row in range(1, 600):
        returning[row] = 0.6 * returning[row - 1] + chance[row]
    short = (
        lambda given, ahead: autoregression(given, ahead, lags=2, alone=True),
        lambda given, ahead: autoregression(given, ahead, lags=2, alone=True, level=True),
    )
    for values, form in ((walk, 0), (returning, 1)):
        blocks = [block(values, window=8, later=200)]
        assert choose({"autoregression": short}, blocks).forms["autoregression"] == form


def test_a_line_is_followed_though_its_errors_never_vary() -> None:
    values = np.arange(100.0)
    chosen = choose({"autoregression": REGRESSIONS}, [block(values, window=8, later=30)])
    assert chosen.name == "autoregression"
