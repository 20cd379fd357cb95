import numpy as np

from app.terminal.rendering.sketch import sketch


def test_a_rising_line_goes_from_the_lower_left_to_the_upper_right() -> None:
    assert sketch(np.arange(8.0), width=4, height=2) == ["⠀⠀⣠⠞", "⣠⠞⠁"]


def test_the_spike_of_a_long_series_is_seen() -> None:
    values = np.zeros(10_000)
    values[5_000] = 1.0
    top, bottom = sketch(values, width=10, height=2)
    assert top.strip("⠀") == "⡇"
    assert len(bottom) == 10


def test_where_values_are_missing_the_line_is_broken() -> None:
    values = np.array([1.0, 1, 1, np.nan, np.nan, np.nan, 1, 1])
    (line,) = sketch(values, width=4, height=1)
    assert line[2] == "⠀"
    assert line[0] != "⠀" != line[3]


def test_constant_few_and_huge_values_are_drawn() -> None:
    assert len(sketch(np.full(5, 3.0), width=6, height=1)[0]) == 6
    assert len(sketch(np.array([-1.7e308, 1.7e308]), width=6, height=2)) == 2
    assert sketch(np.array([np.nan, np.nan]), width=6, height=2) == []
