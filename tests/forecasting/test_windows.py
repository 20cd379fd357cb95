import numpy as np
import pytest

from app.forecasting.windows import Split, Windows, split_rows, windows

NAN = float("nan")


def test_each_window_stands_beside_what_came_after_it() -> None:
    values = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0], [5.0, 50.0]])
    examples = windows(values, values[:, 1], window=2, horizon=2)
    np.testing.assert_array_equal(examples.inputs, [[[1, 10], [2, 20]], [[2, 20], [3, 30]]])
    np.testing.assert_array_equal(examples.targets, [[30, 40], [40, 50]])
    np.testing.assert_array_equal(examples.first, [2, 3])
    assert len(examples) == 2
    assert examples.horizon == 2


def test_equals_a_loop_over_a_series_with_gaps() -> None:
    generator = np.random.default_rng(0)
    values, target = generator.normal(size=(200, 3)), generator.normal(size=200)
    values[generator.integers(0, 200, 6), generator.integers(0, 3, 6)] = NAN
    target[generator.integers(0, 200, 6)] = NAN
    target[7] = np.inf
    window, horizon = 5, 3
    kept = [
        first
        for first in range(window, 200 - horizon + 1)
        if np.isfinite(values[first - window : first]).all()
        and np.isfinite(target[first : first + horizon]).all()
    ]
    examples = windows(values, target, window=window, horizon=horizon)
    assert 0 < len(kept) < 190
    np.testing.assert_array_equal(examples.first, kept)
    for example, first in enumerate(kept):
        np.testing.assert_array_equal(examples.inputs[example], values[first - window : first])
        np.testing.assert_array_equal(examples.targets[example], target[first : first + horizon])


def test_a_series_without_gaps_is_not_copied() -> None:
    values = np.arange(2_000_000.0)[:, None]
    examples = windows(values, values[:, 0], window=500, horizon=1)
    assert np.shares_memory(examples.inputs, values)
    assert len(examples) == 2_000_000 - 500


@pytest.mark.parametrize("rows", [0, 1, 4])
def test_a_series_too_short_gives_no_windows(rows: int) -> None:
    examples = windows(np.ones((rows, 2)), np.ones(rows), window=3, horizon=2)
    assert examples.inputs.shape == (0, 3, 2)
    assert examples.targets.shape == (0, 2)
    assert len(examples) == 0


def test_the_shortest_series_gives_one_window() -> None:
    assert len(windows(np.ones((5, 1)), np.ones(5), window=3, horizon=2)) == 1


def test_several_series_are_joined_without_windows_across_their_border() -> None:
    one, other = np.arange(4.0)[:, None], 100 + np.arange(5.0)[:, None]
    joined = Windows.join([windows(part, part[:, 0], window=2, horizon=1) for part in (one, other)])
    np.testing.assert_array_equal(joined.targets[:, 0], [2, 3, 102, 103, 104])
    assert joined.where(joined.first == 2).targets.tolist() == [[2.0], [102.0]]


def test_shapes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match=r"values \(4,\) and target \(4,\)"):
        windows(np.ones(4), np.ones(4), window=1, horizon=1)
    with pytest.raises(ValueError, match="window 0 and horizon 1"):
        windows(np.ones((4, 1)), np.ones(4), window=0, horizon=1)
    with pytest.raises(ValueError, match="window 1 and horizon 0"):
        windows(np.ones((4, 1)), np.ones(4), window=1, horizon=0)


@pytest.mark.parametrize(
    ("rows", "test", "validation", "expected"),
    [
        (1258, 0.2, 0.0, (1006, 1006)),  # the chapter's file: the last 252 days
        (100, 0.2, 0.15, (68, 80)),
        (100, 0.07, 0.0, (93, 93)),  # 100 * 0.07 is 7.000000000000001 in doubles
        (10, 0.0, 0.0, (10, 10)),
        (3, 0.9, 0.5, (0, 0)),
        (0, 0.2, 0.2, (0, 0)),
    ],
)
def test_rows_are_divided_by_time(
    rows: int, test: float, validation: float, expected: tuple[int, int]
) -> None:
    split = split_rows(rows, test_fraction=test, validation_fraction=validation)
    assert split == Split(rows=rows, validation_start=expected[0], test_start=expected[1])


def test_no_part_is_trained_on_another_s_targets() -> None:
    values = np.arange(50.0)[:, None]
    examples = windows(values, values[:, 0], window=4, horizon=3)
    split = split_rows(50, test_fraction=0.2, validation_fraction=0.25)
    # The targets of the series are their own row numbers.
    assert examples.targets[split.training(examples)].max() == split.validation_start - 1
    validation = examples.targets[split.validation(examples)]
    assert (validation.min(), validation.max()) == (split.validation_start, split.test_start - 1)
    judged = examples.targets[split.test(examples)]
    assert (judged.min(), judged.max()) == (split.test_start, 49)
    # Two windows straddle each border.
    parts = [split.training(examples), split.validation(examples), split.test(examples)]
    assert np.sum(parts, axis=0).max() == 1
    assert len(examples) - np.sum(parts) == 4


def test_a_fraction_must_leave_something() -> None:
    with pytest.raises(ValueError, match=r"fraction 1\.0 must be"):
        split_rows(10, test_fraction=1.0, validation_fraction=0)


def test_parts_hold_whole_forecasts_from_three_origins() -> None:
    split = split_rows(100, test_fraction=0.1, validation_fraction=0.1, horizon=12)
    assert split.rows - split.test_start == 14  # targets of 12 rows from 3 origins
    assert split.test_start - split.validation_start == 14

    several = split_rows(300, test_fraction=0.1, validation_fraction=0.1, horizon=12, series=3)
    assert several.rows - several.test_start == 42


def test_a_part_that_grows_for_the_horizon_leaves_most_rows_to_train_on() -> None:
    split = split_rows(20, test_fraction=0.2, validation_fraction=0.0, horizon=12)
    assert (split.test_start, split.validation_start) == (12, 12)
