import numpy as np
import pytest

from app.forecasting.columns.effects import effects
from app.forecasting.histories import ahead_of

CHANCE = np.random.default_rng(0)
ROWS = 300
PROMO = (CHANCE.random(ROWS) < 0.2).astype(float)
PRICE = 5 + CHANCE.normal(0, 1, ROWS)
COLUMNS = np.column_stack((PROMO, PRICE))
ADDED = COLUMNS @ [80.0, -3.0]


def test_effects_are_found_around_a_line() -> None:
    values = 100 + 0.1 * np.arange(ROWS) + ADDED + CHANCE.normal(0, 2, ROWS)
    assert effects(values, COLUMNS) == pytest.approx([80.0, -3.0], abs=1.0)


def test_a_walk_is_no_effect() -> None:
    values = np.cumsum(CHANCE.normal(0, 10, ROWS)) + ADDED
    assert effects(values, COLUMNS)[0] == pytest.approx(80.0, abs=6.0)


def test_a_week_of_days_does_not_disturb_effects() -> None:
    week = np.tile([0.0, 30.0, 10.0, -20.0, 50.0, 90.0, -60.0], ROWS // 7 + 1)[:ROWS]
    found = effects(week + ADDED + CHANCE.normal(0, 2, ROWS), COLUMNS)
    assert found == pytest.approx([80.0, -3.0], abs=1.5)


def test_a_column_that_never_changes_and_too_few_rows_have_no_effect() -> None:
    same = np.column_stack((PROMO, np.ones(ROWS)))
    assert effects(100 + ADDED, same)[1] == pytest.approx(0)
    assert not effects(100 + ADDED[:12], COLUMNS[:12]).any()


def test_columns_ahead_repeat_what_is_missing() -> None:
    columns = np.array([[1.0], [2.0], [np.nan], [4.0]])
    ahead = ahead_of(columns, np.array([0, 2]), 3)
    assert ahead[:, :, 0].tolist() == [[1, 2, 2], [2, 4, 4]]
