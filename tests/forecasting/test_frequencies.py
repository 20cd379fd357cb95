import pytest

from app.forecasting.frequencies import default_horizon, season_candidates


@pytest.mark.parametrize(
    ("frequency", "steps"),
    [
        ("h", 24),
        ("D", 14),
        ("B", 5),
        ("W", 8),
        ("MS", 12),
        ("ME", 12),
        ("QS", 4),
        ("30min", 48),  # a day
        ("5min", 12),  # an hour
        ("6h", 4),
        (None, 1),
    ],
)
def test_the_horizon_follows_the_frequency(frequency: str | None, steps: int) -> None:
    assert default_horizon(frequency, rows=1000) == steps


def test_a_short_series_is_forecast_a_sixth_of_its_rows_ahead_at_most() -> None:
    assert default_horizon("MS", rows=40) == 6
    assert default_horizon("MS", rows=3) == 1


def test_seasons_are_counted_in_rows() -> None:
    assert season_candidates("h") == (24, 168)
    assert season_candidates("2h") == (12, 84)
    assert season_candidates("5D") == (73,)
    assert season_candidates(None) == ()
