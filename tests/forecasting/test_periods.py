import numpy as np
import pytest

from app.forecasting.frequencies import Periods, periods_of
from app.forecasting.season import detected_periods

LONGEST = 512


@pytest.mark.parametrize(
    ("frequency", "periods"),
    [
        ("MS", (12, 0)),
        ("2MS", (6, 0)),
        ("QE", (4, 0)),
        ("YS", (0, 0)),
        ("W", (52, 0)),
        ("D", (7, 365)),
        ("2D", (0, 0)),
        ("B", (5, 0)),
        ("h", (24, 168)),
        ("30min", (48, 336)),
        ("15min", (96, 0)),
        ("min", (60, 0)),
        ("7min", (0, 0)),
        ("10s", (360, 0)),
    ],
)
def test_a_frequency_suggests_days_weeks_and_years(frequency: str, periods: Periods) -> None:
    assert periods_of(frequency, None, longest=LONGEST) == periods


def test_without_a_frequency_or_with_a_calendar_the_values_decide() -> None:
    assert periods_of(None, None, longest=LONGEST) is None
    assert periods_of("h", "Mon-Fri 09:00-17:00", longest=LONGEST) is None


def test_days_and_weeks_are_found_in_values() -> None:
    chance = np.random.default_rng(3)
    hours = np.arange(800)
    daily = np.sin(hours * 2 * np.pi / 24)
    weekend = np.where(hours // 24 % 7 >= 5, -2.0, 0.0)
    noise = chance.normal(0, 0.2, len(hours))

    assert detected_periods(daily + noise, longest=LONGEST) == (24, 0)
    assert detected_periods(daily + weekend + noise, longest=LONGEST) == (24, 168)
    assert detected_periods(noise, longest=LONGEST) == (0, 0)


def test_a_season_longer_than_can_be_told_is_left_out() -> None:
    values = np.sin(np.arange(300) * 2 * np.pi / 40)
    assert detected_periods(values, longest=30) == (0, 0)
