"""Check sums over settled forecasts, computed by hand."""

import math
from dataclasses import asdict

import pytest

from app.monitoring.aggregates import (
    Coverage,
    ErrorSums,
    coverage_of,
    errors_of,
    figures_of,
    total,
)

SETTLED = [
    errors_of(3.0, 4.0, 1.0),  # 2 too high, persistence 3
    errors_of(-1.0, 2.0, 3.0),  # 4 too low, persistence 1
    errors_of(6.0, None, 5.0),  # nothing to compare it with
]


def test_figures_worked_by_hand() -> None:
    assert asdict(figures_of(total(SETTLED))) == {
        "forecasts": 3,
        "rmse": pytest.approx(math.sqrt((4 + 16 + 1) / 3)),
        "mae": pytest.approx(7 / 3),
        "bias": pytest.approx(-1 / 3),
        "persistence_rmse": pytest.approx(math.sqrt((9 + 1) / 2)),
        "skill": pytest.approx(1 - math.sqrt((4 + 16) / (9 + 1))),
        "skill_missing": None,
    }


def test_a_forecast_taken_back_leaves_nothing() -> None:
    first, second, third = SETTLED
    assert total(SETTLED) - second == first + third
    # Tenths do not cancel exactly; a rounding residue below 0 counts as 0.
    left = figures_of(ErrorSums(forecasts=1, absolute=-1e-18, squared=-1e-18, compared=1))
    assert (left.rmse, left.mae) == (0.0, 0.0)
    left = figures_of(
        ErrorSums(forecasts=1, compared=1, compared_squared=-1e-18, persistence_squared=4.0)
    )
    assert (left.persistence_rmse, left.skill) == (2.0, 1.0)


def test_what_is_not_known_is_none_and_says_why() -> None:
    nothing = figures_of(ErrorSums())
    assert (nothing.forecasts, nothing.rmse, nothing.mae, nothing.bias) == (0, None, None, None)
    assert nothing.skill_missing == "no forecast of these days has its actual yet"
    alone = figures_of(SETTLED[2])
    assert (alone.rmse, alone.persistence_rmse, alone.skill) == (1.0, None, None)
    assert alone.skill_missing is not None
    assert "no last value to repeat" in alone.skill_missing
    exact = figures_of(errors_of(3.0, 1.0, 1.0))
    assert (exact.persistence_rmse, exact.skill) == (0.0, None)
    assert exact.skill_missing == "repeating the last value made no error at all"


@pytest.mark.parametrize("sign", [1, -1])
def test_errors_beyond_all_measure_can_be_summed(sign: int) -> None:
    figures = figures_of(errors_of(sign * 1e300, -sign * 1e300, 0.0))
    assert (figures.rmse, figures.bias, figures.persistence_rmse) == (1e100, sign * 1e100, 1e100)


def test_an_actual_at_the_end_of_an_interval_lies_inside() -> None:
    intervals = [{"level": 80, "low": 2.0, "high": 4.0}, {"level": 95, "low": 1.0, "high": 6.0}]
    assert coverage_of(None, 2.0) == {}
    held = [coverage_of(intervals, actual)[80] for actual in (1.9, 2.0, 4.0, 4.1)]
    assert sum(held, start=Coverage()) == Coverage(forecasts=4, covered=2)
    assert coverage_of(intervals, 4.1)[95] == Coverage(forecasts=1, covered=1)
