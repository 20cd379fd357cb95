import numpy as np
import pytest

from app.forecasting.effects import effects
from app.forecasting.histories import ahead_of

CHANCE = np.random.default_rng(0)
ROWS = 300
PROMO = (CHANCE.random(ROWS) < 0.2).astype(float)
PRICE = 5 + CHANCE.normal(0, 1, ROWS)
COLUMNS = np.column_stack((PROMO, PRICE))
ADDED = COLUMNS @ [80.0, -3.0]


@pytest.mark.parametrize("estimate", ["changes", "levels"])
def test_effects_are_found_around_a_line(estimate: str) -> None:
    values = 100 + 0.1 * np.arange(ROWS) + ADDED + CHANCE.normal(0, 2, ROWS)
    found = effects(values, COLUMNS, "changes" if estimate == "changes" else "levels")
    assert found == pytest.approx([80.0, -3.0], abs=1.0)


def test_a_walk_is_no_effect_on_changes() -> None:
    values = np.cumsum(CHANCE.normal(0, 10, ROWS)) + ADDED
    assert effects(values, COLUMNS, "changes")[0] == pytest.approx(80.0, abs=6.0)


def test_a_column_that_never_changes_and_too_few_rows_have_no_effect() -> None:
    same = np.column_stack((PROMO, np.ones(ROWS)))
    assert effects(100 + ADDED, same, "changes")[1] == 0
    assert not effects(100 + ADDED[:12], COLUMNS[:12], "levels").any()
    assert not effects(100 + ADDED, COLUMNS, "none").any()


def test_columns_ahead_repeat_what_is_missing() -> None:
    columns = np.array([[1.0], [2.0], [np.nan], [4.0]])
    ahead = ahead_of(columns, np.array([0, 2]), 3)
    assert ahead[:, :, 0].tolist() == [[1, 2, 2], [2, 4, 4]]
