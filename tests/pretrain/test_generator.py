import numpy as np
import pytest

from models.pretrain.frequencies import draw_periods
from models.pretrain.generator import Layout, make
from models.pretrain.levels import LEVELS, Maker
from models.pretrain.noises import NOISES
from models.pretrain.recursions import autoregressive
from models.pretrain.seasonal import SHAPES, Shape, draw_season

LONG = Layout(context=256, horizon=64, short=False, shortest=30)
SHORT = Layout(context=64, horizon=16, short=True, shortest=12)


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_equal_seed_and_block_give_equal_series() -> None:
    first = make(seed=3, block=2, count=40, layout=LONG)
    make(seed=3, block=5, count=10, layout=SHORT)
    again = make(seed=3, block=2, count=40, layout=LONG)

    np.testing.assert_array_equal(first.values, again.values)
    np.testing.assert_array_equal(first.periods, again.periods)


@pytest.mark.parametrize(("seed", "block"), [(4, 2), (3, 3)])
def test_another_seed_or_block_gives_other_series(seed: int, block: int) -> None:
    first = make(seed=3, block=2, count=40, layout=LONG)
    other = make(seed=seed, block=block, count=40, layout=LONG)

    assert not np.array_equal(first.values, other.values, equal_nan=True)


@pytest.mark.parametrize("layout", [LONG, SHORT])
def test_every_series_is_finite_where_known_and_has_a_future(layout: Layout) -> None:
    values = make(seed=1, block=0, count=400, layout=layout).values

    assert values.shape == (400, layout.context + layout.horizon)
    assert not np.isinf(values).any()
    assert np.isfinite(values[:, layout.context :]).any(axis=1).all()


def test_histories_are_of_all_lengths_down_to_the_shortest() -> None:
    values = make(seed=1, block=0, count=600, layout=LONG).values
    lengths = LONG.context - np.isfinite(values).argmax(axis=1)

    assert lengths.min() < 45
    assert (lengths > LONG.context - 32).mean() > 0.4


def test_some_series_are_counts_with_zeros_and_some_never_touch_zero() -> None:
    values = make(seed=1, block=0, count=600, layout=LONG).values
    zeros = (values == 0).mean(axis=1)

    assert 0.01 < (zeros > 0.3).mean() < 0.2
    assert (np.nanmin(values, axis=1) > 0).mean() > 0.4


def test_told_periods_are_mostly_the_true_ones_and_at_times_withheld_or_wrong() -> None:
    periods = draw_periods(chance(), 5000, short=False)
    same = (periods.told == periods.true).all(axis=1)
    withheld = (periods.told == 0).all(axis=1) & (periods.true[:, 0] > 0)

    assert 0.7 < same.mean() < 0.9
    assert 0.05 < withheld.mean() < 0.15
    # The series' only period comes first.
    assert not ((periods.told[:, 0] < 2) & (periods.told[:, 1] >= 2)).any()


@pytest.mark.parametrize("make_level", [kind for kind, _ in LEVELS if kind.__name__ != "constant"])
def test_levels_are_of_about_unit_size(make_level: Maker) -> None:
    levels = make_level(chance(), 300, 200)

    assert np.isfinite(levels).all()
    assert 0.3 < np.median(levels.std(axis=1)) < 3


@pytest.mark.parametrize("make_noise", [kind for kind, _ in NOISES])
def test_noise_is_of_about_unit_size(make_noise: Maker) -> None:
    noise = make_noise(chance(), 300, 400)

    assert np.isfinite(noise).all()
    assert 0.7 < np.median(noise.std(axis=1)) < 1.5


@pytest.mark.parametrize("shape", [kind for kind, *_ in SHAPES])
def test_a_shape_differs_within_its_cycle(shape: Shape) -> None:
    phase = np.tile(np.arange(24, dtype=np.float32), (50, 1))
    table = shape(chance(), phase, np.full((50, 1), 24, np.float32))

    assert (table.std(axis=1) > 0).all()


def test_a_season_repeats_with_its_period_unless_it_changes_slowly() -> None:
    season = draw_season(chance(), np.full(200, 12, np.float32), 240)
    repeats = [np.corrcoef(row[:-12], row[12:])[0, 1] for row in season]

    assert np.median(repeats) > 0.99
    assert min(repeats) < 0.99


def test_a_series_without_a_period_has_no_season() -> None:
    season = draw_season(chance(), np.array([0, 12], np.float32), 60)

    assert not season[0].any()
    assert season[1].any()


def test_an_autoregression_follows_its_recursion() -> None:
    noise = chance().normal(size=(2, 50)).astype(np.float32)
    first, second = np.array([[0.5], [-0.3]]), np.array([[0.2], [0.1]])
    made = autoregressive(noise.copy(), first, second)

    expected = first * made[:, 1:-1] + second * made[:, :-2] + noise[:, 2:]
    np.testing.assert_allclose(made[:, 2:], expected, atol=1e-5)
