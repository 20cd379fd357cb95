"""Test what is said about the difference between a model and a baseline."""

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

from app.judging.figures import Places, against, errors_of

Floats = NDArray[np.float64]


def noise(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize(
    ("factor", "verdict"), [(0.8, "better"), (1.25, "worse"), (1.0, "within noise")]
)
def test_a_difference_is_tested_whatever_the_unit(unit: float, factor: float, verdict: str) -> None:
    baseline = noise(60, 1)
    errors = factor * baseline + 0.02 * noise(60, 1, seed=1)
    found = against(unit * errors, unit * baseline)
    expected = scipy.stats.ttest_1samp((errors**2 - baseline**2)[:, 0], 0)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.skill == pytest.approx(1 - np.sqrt((errors**2).mean() / (baseline**2).mean()))
    assert (found.rows, found.verdict, found.missing) == (60, verdict, None)


def test_steps_of_a_row_and_rows_of_a_moment_are_one_loss() -> None:
    errors, baseline = noise(40, 3), noise(40, 3, seed=1)
    losses = (errors**2 - baseline**2).sum(axis=1)
    expected = scipy.stats.ttest_1samp(losses, 0).statistic
    assert against(errors, baseline).statistic == pytest.approx(expected)
    # Time 0 has no row, which does not count as a loss of 0.
    expected = scipy.stats.ttest_1samp(losses[:20] + losses[20:], 0).statistic
    together = against(errors, baseline, moments=np.tile(np.arange(1, 21), 2))
    assert together.statistic == pytest.approx(expected)


@pytest.mark.parametrize(
    ("errors", "baseline", "verdict", "missing"),
    [
        ([1.0, -2.0], [-1.0, 2.0], "within noise", "the errors do not differ: nothing to test"),
        (
            [1.0, 1.0],
            [2.0, 2.0],
            "not to be told",
            "the errors differ by a constant or are too few",
        ),
        ([1.0, 2.0], [1.0, 3.0], "within noise", None),
        ([1.0, 2.0], [0.0, 0.0], "within noise", "the baseline makes no error"),
        ([0.0, 0.0], [0.0, 0.0], "within noise", "the baseline makes no error; the errors do not"),
        ([], [], "not to be told", "the baseline makes no error; the errors differ by a constant"),
    ],
)
def test_an_undefined_figure_comes_with_a_reason(
    errors: list[float], baseline: list[float], verdict: str, missing: str | None
) -> None:
    found = against(np.array(errors)[:, None], np.array(baseline)[:, None])
    assert found.verdict == verdict
    if missing is None:
        assert found.missing is None
    else:
        assert found.missing is not None
        assert found.missing.startswith(missing)
    assert (found.skill is None) == (missing is not None and "no error" in missing)


def test_figures_are_in_the_unit_of_each_place_and_undefined_ones_say_why() -> None:
    places = Places(
        actual=np.array([1.0, 30.0, 5.0]),
        forecast=np.array([3.0, 10.0, 5.0]),
        previous=np.array([0.0, 40.0, 0.0]),
        unit=np.array([1.0, 10.0, 1.0]),
        scale=np.array([1.0, 40.0, 1.0]),
    )
    found = errors_of(places)
    assert [found.rmse, found.mae] == pytest.approx([np.sqrt(8 / 3), 4 / 3])
    assert [found.bias, found.mase] == pytest.approx([0.0, 2.5 / 3])
    assert (found.directional_accuracy, found.missing) == (1.0, {})
    none = errors_of(places.where(np.zeros(3, dtype=bool)))
    assert set(none.missing) == {"mase", "smape", "bias", "directional_accuracy"}
    assert none.mase is None
    assert "no scale" in none.missing["mase"]
    last = errors_of(places.where(np.array([False, True, False])))
    assert (last.rmse, last.mase, last.bias) == (2.0, 0.5, -2.0)
