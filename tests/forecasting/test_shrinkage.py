import numpy as np
import pytest
from numpy.typing import NDArray

from app.forecasting.shrinkage import FEWEST_ORIGINS, kept_share

Floats = NDArray[np.float64]


def drawn(rows: int, *, share: float, noise: float = 1.0, seed: int = 0) -> tuple[Floats, Floats]:
    """Return errors and additions, a `share` of which is real."""
    generator = np.random.default_rng(seed)
    added = generator.normal(size=(rows, 1))
    return share * added + noise * generator.normal(size=(rows, 1)), added


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_with_many_rows_what_is_true_is_kept_in_any_unit(unit: float) -> None:
    missed, added = drawn(20_000, share=0.6)
    assert kept_share(unit * missed, unit * added) == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("horizon", [1, 2])
def test_the_share_is_the_formula_with_each_row_left_out_by_itself(horizon: int) -> None:
    missed, added = (
        each.reshape(-1, horizon) for each in drawn(20 * horizon, share=0.8, noise=0.5)
    )
    slope = (added * missed).sum() / (added**2).sum()
    squares = 0.0
    for first in range(0, 20, horizon):  # overlapping forecasts count as one row
        row = slice(first, first + horizon)
        others = np.delete(added, row, axis=0), np.delete(missed, row, axis=0)
        without = (others[0] * others[1]).sum() / (others[0] ** 2).sum()
        squares += (added[row] * (missed[row] - without * added[row])).sum() ** 2
    error = np.sqrt(squares) / (added**2).sum()
    expected = slope * (1 - (1.75 * error / slope) ** 2)
    assert 0.1 < expected < 0.9
    assert kept_share(missed, added) == pytest.approx(expected)


def test_no_more_is_kept_than_there_is() -> None:
    missed, added = drawn(5000, share=1.7)
    assert kept_share(missed, added) == 1.0


def test_noise_is_not_kept() -> None:
    shares = [kept_share(*drawn(30, share=0.0, seed=seed)) for seed in range(200)]
    assert np.mean([share > 0 for share in shares]) < 0.06
    assert kept_share(*drawn(500, share=-0.5)) == 0.0


def test_a_share_kept_errs_less_than_the_slope_where_little_is_true() -> None:
    kept, all_of_it = [], []
    for seed in range(200):
        missed, added = drawn(25, share=0.1, seed=seed)
        slope = float((added * missed).sum() / (added**2).sum())
        kept.append((kept_share(missed, added) - 0.1) ** 2)
        all_of_it.append((slope - 0.1) ** 2)
    assert np.mean(kept) < 0.7 * np.mean(all_of_it)


@pytest.mark.parametrize("size", [5.0, 40.0, 1e3, 1e6, 1e250])
def test_a_gain_that_one_row_made_is_not_kept(size: float) -> None:
    missed, added = drawn(60, share=0.0, seed=3)
    missed[7] = added[7] = size
    assert kept_share(missed, added) == 0.0


def test_forecasts_that_overlap_are_not_taken_for_many() -> None:
    def overlapping(values: Floats) -> Floats:
        return np.lib.stride_tricks.sliding_window_view(values[:, 0], 12)

    drawings = [drawn(180, share=0.0, seed=seed) for seed in range(200)]
    shares = [kept_share(overlapping(missed), overlapping(added)) for missed, added in drawings]
    assert np.mean([share > 0 for share in shares]) < 0.12  # 0.3 if each counted separately


@pytest.mark.parametrize("rows", [0, FEWEST_ORIGINS - 1, 50])
def test_nothing_added_or_nothing_to_tell_from_keeps_nothing(rows: int) -> None:
    assert kept_share(np.ones((rows, 2)), np.zeros((rows, 2))) == 0.0
    assert kept_share(np.zeros((rows, 2)), np.zeros((rows, 2))) == 0.0
    assert kept_share(np.ones((rows, 2)), np.full((rows, 2), np.inf)) == 0.0
    if rows < FEWEST_ORIGINS:
        assert kept_share(np.ones((rows, 2)), np.ones((rows, 2))) == 0.0
