from collections import defaultdict
from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest

from app.forecasting.metrics import rmse
from app.forecasting.mixture import Mixing, Mixture
from app.forecasting.windows import Floats
from app.recipes.recipe import AnchorName

EVERY: tuple[AnchorName, ...] = tuple(each for each in get_args(AnchorName) if each != "average")
ROWS = 240
PATTERN = np.random.default_rng(1).normal(0.0, 5.0, 12)


def mixing(
    values: Floats,
    *,
    horizon: int = 4,
    seasons: tuple[int, ...] = (),
    names: Sequence[AnchorName] = EVERY,
) -> Mixing:
    return Mixing(values, window=48, horizon=horizon, seasons=seasons, names=names)


def weighed(values: Floats, *, until: int = 200, seasons: tuple[int, ...] = ()) -> Mixture:
    found = mixing(values, seasons=seasons).weigh(until)
    assert found is not None
    return found


def by_name(mixture: Mixture) -> dict[str, float]:
    weights: dict[str, float] = defaultdict(float)
    for candidate, weight in zip(mixture.candidates, mixture.weights, strict=True):
        weights[candidate.name] += weight
    return weights


def walk(seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=ROWS).cumsum() + 50


def test_weights_are_an_average() -> None:
    mixture = weighed(walk(0))
    assert sum(mixture.weights) == pytest.approx(1.0)
    assert min(mixture.weights) >= 0


def test_on_walks_the_mixture_forecasts_hardly_worse_than_the_last_value() -> None:
    worse = []
    for seed in range(20):
        values = walk(seed)
        found = mixing(values)
        mixture = found.weigh(200)
        assert mixture is not None
        linear = found.fit(mixture, 200)
        view = np.lib.stride_tricks.sliding_window_view(values, 48 + 4)[-36:]
        worse.append(
            rmse(linear.forecasts(view[:, :48]), view[:, 48:])
            / rmse(np.repeat(view[:, 47:48], 4, axis=1), view[:, 48:])
        )
    assert np.mean(worse) < 1.03


def test_on_most_walks_nothing_but_the_last_value_is_left() -> None:
    shares = [by_name(weighed(walk(seed)))["persistence"] for seed in range(20)]
    assert np.median(shares) == 1


def test_a_season_is_followed_by_those_that_know_it() -> None:
    values = np.tile(PATTERN, 20) + np.random.default_rng(2).normal(0.0, 0.5, ROWS) + 30
    mixture = weighed(values, seasons=(12,))
    assert by_name(mixture)["persistence"] < 0.02
    assert rmse(mixture.error, np.zeros(1)) == pytest.approx(0.5, abs=0.06)


def test_a_line_is_continued_though_its_errors_are_nothing() -> None:
    values = np.linspace(3.0, 3.0 + 0.5 * (ROWS - 1), ROWS)
    found = mixing(values)
    mixture = found.weigh(200)
    assert mixture is not None
    ahead = found.fit(mixture, 200).forecasts(values[None, 152:200])
    np.testing.assert_allclose(ahead[0], values[200:204], atol=1e-3)


def test_an_autoregression_is_found() -> None:
    chance = np.random.default_rng(1).normal(size=ROWS)
    swinging = np.zeros(ROWS)
    for row in range(2, ROWS):
        swinging[row] = 1.6 * swinging[row - 1] - 0.8 * swinging[row - 2] + chance[row]
    mixture = weighed(swinging)
    assert by_name(mixture)["autoregression"] > 0.7


def test_what_comes_after_is_not_looked_at() -> None:
    values = walk(4)
    changed = np.where(np.arange(ROWS) < 200, values, -1e6)
    one, other = weighed(values), weighed(changed)
    assert one.weights == other.weights
    fits = [mixing(each).fit(one, 200) for each in (values, changed)]
    np.testing.assert_array_equal(fits[0].weights, fits[1].weights)


def test_few_origins_leave_an_average_and_many_decide() -> None:
    # Of two candidates one is a little better: with few origins both keep weight.
    values = np.tile(PATTERN, 20) + np.random.default_rng(5).normal(0.0, 5, ROWS)
    shares = []
    for rows in (36, ROWS):
        found = mixing(values[:rows], seasons=(12,), names=("season", "season-drift"), horizon=1)
        mixture = found.weigh(rows)
        assert mixture is not None
        shares.append(by_name(mixture)["season"])
    assert 0.3 < shares[0] < shares[1]


def test_too_few_rows_give_no_mixture() -> None:
    assert mixing(walk(0)[:4]).weigh(4) is None
    assert mixing(walk(0)[:12], horizon=2).weigh(12) is not None


def test_short_series_read_the_rows_that_were_put_before_them() -> None:
    values = np.linspace(3.0, 9.5, 14)
    found = mixing(values, horizon=2)
    mixture = found.weigh(14)
    assert mixture is not None
    assert rmse(mixture.error, np.zeros(1)) < 0.1
