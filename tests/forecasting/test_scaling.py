import numpy as np
import pytest
import sklearn
from numpy.typing import NDArray

from app.forecasting.scaling import FLOOR, Affine, WindowScaling


def table() -> NDArray[np.float64]:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(60, 6)) * [1, 1e6, 1e-9, 1, 0, 0] + [0, 1e6, 1, 5, 3, 0]
    values[3, 3] = np.nan
    return values


@pytest.mark.parametrize(
    ("scaling", "reference"),
    [(Affine.minmax, "MinMaxScaler"), (Affine.standard, "StandardScaler")],
    ids=["minmax", "standard"],
)
def test_equals_scikit_learn(scaling: type[Affine], reference: str) -> None:
    training, later = table(), table()[:5] * 1.3
    mine = scaling(training)  # type: ignore[call-arg]
    theirs = getattr(sklearn.preprocessing, reference)().fit(training)
    np.testing.assert_allclose(mine.transform(later), theirs.transform(later), rtol=1e-9)
    np.testing.assert_allclose(mine.inverse(mine.transform(later)), later)
    np.testing.assert_allclose(mine.inverse(later), theirs.inverse_transform(later))


def test_a_constant_column_is_shifted_and_not_divided_by_its_rounding() -> None:
    values = np.full((30, 1), 0.1 + 0.2) * (1 + np.finfo(float).eps * (np.arange(30)[:, None] % 2))
    assert Affine.standard(values).scale.tolist() == [1.0]
    assert Affine.minmax(values).scale.tolist() == [1.0]


def test_one_column_of_a_scaling_is_a_scaling() -> None:
    values = table()
    scaling = Affine.minmax(values)
    np.testing.assert_array_equal(
        scaling.column(1).transform(values[:, 1:2]), scaling.transform(values)[:, 1:2]
    )


def test_windows_and_batches_are_scaled_by_their_last_axis() -> None:
    scaling = Affine.minmax(np.array([[0.0, 10.0], [4.0, 30.0]]))
    batch = np.array([[[2.0, 20.0], [4.0, 10.0]]])  # (batch, window, features)
    np.testing.assert_array_equal(scaling.transform(batch), [[[0.5, 0.5], [1.0, 0.0]]])


def test_what_cannot_be_scaled_is_refused() -> None:
    with pytest.raises(ValueError, match="column 1 has no value"):
        Affine.minmax(np.array([[1.0, np.nan], [2.0, np.nan]]))
    with pytest.raises(ValueError, match="not infinite"):
        Affine.standard(np.array([[1.0], [np.inf]]))
    with pytest.raises(ValueError, match="column 1 spreads beyond"):
        Affine.minmax(np.array([[0.0, -1.7e308], [1.0, 1.7e308]]))
    with pytest.raises(ValueError, match="column 0 spreads beyond"):
        Affine.standard(np.array([[-1.7e308], [1.7e308]]))
    with pytest.raises(ValueError, match=r"\(rows, features\) needed"):
        Affine.minmax(np.ones(3))


def test_a_window_is_measured_by_its_distance_from_its_last_value() -> None:
    # |1 - 7|, |4 - 7|, |7 - 7|: mean 3.
    scaling = WindowScaling.of(np.array([[[1.0], [4.0], [7.0]]]))
    assert scaling.center.tolist() == [[[7.0]]]
    assert scaling.scale.tolist() == [[[3.0]]]
    assert scaling.transform(np.array([[[1.0], [4.0], [7.0]]])).ravel().tolist() == [-2, -1, 0]
    assert scaling.transform_targets(np.array([[10.0, 13.0]]), feature=0).tolist() == [[1, 2]]
    assert scaling.inverse(np.array([[1.0, 2.0]]), feature=0).tolist() == [[10, 13]]


def test_a_zero_output_is_the_last_value_of_the_target_s_column() -> None:
    inputs = np.random.default_rng(0).normal(size=(8, 5, 3))
    scaling = WindowScaling.of(inputs)
    np.testing.assert_array_equal(
        scaling.inverse(np.zeros((8, 2)), feature=1)[:, 0], inputs[:, -1, 1]
    )
    targets = np.random.default_rng(1).normal(size=(8, 4))
    scaled = scaling.transform_targets(targets, feature=2)
    np.testing.assert_allclose(scaling.inverse(scaled, feature=2), targets)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e9])
@pytest.mark.parametrize("level", [0.0, 1e3])
def test_unit_and_level_of_a_series_do_not_matter(unit: float, level: float) -> None:
    inputs = np.random.default_rng(0).normal(size=(20, 9, 1))
    mine = WindowScaling.of((inputs + level) * unit).transform((inputs + level) * unit)
    np.testing.assert_allclose(mine, WindowScaling.of(inputs).transform(inputs), atol=1e-10)


def test_small_changes_of_large_values_are_seen() -> None:
    # In single precision these two are one number.
    inputs = np.array([[[1_000_000.01], [1_000_000.00]]])
    scaling = WindowScaling.of(inputs)
    assert not scaling.flat.any()
    np.testing.assert_allclose(scaling.transform(inputs).ravel(), [2.0, 0.0])


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 0.0, 0.0],
        [5.0, 5.0, 5.0],
        [1e300, -1e300, 1e300],
        [1e300, 1e300, 1e300],
        [1e-308, 0.0, 5e-324],
        [1.0, 1.0 + 2**-52, 1.0],
        [0.0, 0.0, 1e300],
    ],
)
def test_no_window_gives_nan_or_a_value_beyond_its_length(values: list[float]) -> None:
    inputs = np.array(values).reshape(1, 3, 1)
    with np.errstate(all="raise", under="ignore"):
        scaled = WindowScaling.of(inputs).transform(inputs)
    assert np.isfinite(scaled).all()
    assert np.abs(scaled).max() <= 3


def test_flat_windows_are_told() -> None:
    spread = np.array([0.0, FLOOR / 4, FLOOR * 16, 1.0])
    inputs = 8.0 * (1 + spread[:, None, None] * np.array([0.0, 1.0, 0.0])[:, None])
    assert WindowScaling.of(inputs).flat[:, 0].tolist() == [True, True, False, False]


def test_a_window_of_one_step_has_no_spread() -> None:
    with pytest.raises(ValueError, match="2 or more steps"):
        WindowScaling.of(np.ones((4, 1, 1)))
    with pytest.raises(ValueError, match=r"not \(4, 3\)"):
        WindowScaling.of(np.ones((4, 3)))
