import numpy as np
import pytest

from app.forecasting.holes import filled, holes, led

ROWS = np.arange(120)
SEASON = 10 * np.sin(2 * np.pi * ROWS / 12)


def test_a_hole_is_filled_with_the_season_on_the_line_between_its_ends() -> None:
    values = 50 + 0.2 * ROWS + SEASON
    missing = np.where((ROWS >= 60) & (ROWS < 75), np.nan, values)

    assert filled(missing, season=12) == pytest.approx(values, abs=0.8)
    in_a_line = filled(missing, season=None)
    assert in_a_line[60:75] == pytest.approx(np.interp(ROWS[60:75], [59, 75], values[[59, 75]]))
    assert (filled(missing, season=12)[:60] == values[:60]).all()


def test_without_holes_the_values_are_returned_as_they_are() -> None:
    assert filled(SEASON, season=12) is SEASON


def test_too_little_of_a_season_leaves_the_line() -> None:
    values = np.where(ROWS[:20] == 7, np.nan, 1.0 * ROWS[:20])
    assert filled(values, season=12) == pytest.approx(ROWS[:20])
    with pytest.raises(ValueError, match="no value"):
        filled(np.full(3, np.nan), season=None)


def test_holes_are_found_with_their_lengths() -> None:
    values = np.array([np.nan, 1, np.nan, np.nan, 2, np.nan])
    assert holes(values) == [(0, 1), (2, 2), (5, 1)]
    assert holes(SEASON) == []


def test_rows_before_the_first_continue_its_season_and_trend() -> None:
    values = 50 + 0.5 * ROWS + SEASON
    known = values[36:]
    assert led(known, 36, season=12) == pytest.approx(values, abs=1e-6)


def test_rows_before_a_line_continue_it_and_before_few_values_are_their_mean() -> None:
    line = np.linspace(3.0, 41.0, 20)
    assert led(line[5:], 5, season=None) == pytest.approx(line)
    assert led(np.array([2.0, 4.0]), 3, season=None)[:3] == pytest.approx(3.0)
    assert led(line, 0, season=None) is line
