from typing import Any

import numpy as np
import pytest

from app.reading.content import SeriesContent
from app.reading.series.grid import gridded


def content(times: Any, *, frequency: str | None, **given: Any) -> SeriesContent:  # noqa: ANN401
    moments = np.array(times, dtype="datetime64[us]")
    return SeriesContent(
        **{
            "columns": ("load",),
            "values": np.arange(1.0, len(moments) + 1)[:, None],
            "times": moments,
            "offsets": None,
            "time_form": "local",
            "frequency": frequency,
            "labels": ("",),
            "series": np.zeros(len(moments), np.int32),
            **given,
        }
    )


def test_a_time_without_a_row_gets_one_of_missing_values() -> None:
    whole = gridded(content(["2024-01-01T00", "2024-01-01T01", "2024-01-01T04"], frequency="h"))

    assert whole.values[:, 0] == pytest.approx([1, 2, np.nan, np.nan, 3], nan_ok=True)
    assert whole.row_times_iso()[1:4] == [
        "2024-01-01T01:00:00",
        "2024-01-01T02:00:00",
        "2024-01-01T03:00:00",
    ]


def closing(*days: str, **given: Any) -> SeriesContent:  # noqa: ANN401
    """Return business days of 2024 without some of them."""
    every = np.arange("2024-01-01", "2025-01-01", dtype="datetime64[D]")
    kept = every[np.is_busday(every, holidays=np.array(days, dtype="datetime64[D]"))]
    return content(kept, frequency="B", **given)


CHINAS_NEW_YEAR = ("2024-02-09", "2024-02-12", "2024-02-13", "2024-02-14", "2024-02-15")


def test_business_days_on_which_a_market_was_closed_are_no_gaps() -> None:
    market = closing("2024-01-01", "2024-07-04", "2024-12-25", *CHINAS_NEW_YEAR, "2024-02-16")
    assert gridded(market) is market


def test_more_than_six_business_days_without_a_row_are_a_gap() -> None:
    market = closing("2024-07-04", *CHINAS_NEW_YEAR, "2024-02-16", "2024-02-19")
    missing = np.isnan(gridded(market).values[:, 0])
    assert missing.sum() == 7
    assert gridded(market).row_times_iso()[30] == "2024-02-12T00:00:00"


def test_days_that_are_often_without_a_row_are_gaps() -> None:
    fridays = np.arange("2024-06-07", "2025-01-01", 7, dtype="datetime64[D]").astype(str)
    missing = np.isnan(gridded(closing(*fridays)).values[:, 0])
    assert missing.sum() == len(fridays)
    few = closing(*fridays[:20])
    assert gridded(few) is few


def test_a_day_on_which_another_series_has_a_row_is_a_gap() -> None:
    one, other = closing("2024-07-04", "2024-07-09"), closing("2024-07-04")
    moments = [*(one.times if one.times is not None else ())]
    moments += [*(other.times if other.times is not None else ())]
    two = content(
        moments,
        frequency="B",
        labels=("one", "other"),
        series=np.repeat([0, 1], [len(one), len(other)]).astype(np.int32),
    )
    whole = gridded(two)
    times = np.array(whole.row_times_iso())
    assert times[np.isnan(whole.values[:, 0])].tolist() == ["2024-07-09T00:00:00"]
    assert "2024-07-04T00:00:00" not in times


def test_where_the_calendar_excepts_no_date_each_absent_day_is_a_gap() -> None:
    whole = gridded(closing("2024-07-04", calendar="Mon-Fri except none"))
    assert np.isnan(whole.values).sum() == 1


def test_past_the_dates_of_the_calendar_absent_days_are_closed() -> None:
    market = closing("2024-03-29", "2024-05-06", "2024-07-04", calendar="Mon-Fri except 2024-05-27")
    # 2024-05-27 has a row; 2024-03-29 and 2024-05-06 come before it, so nothing is known of them
    assert np.isnan(gridded(market).values).sum() == 0
    listed = closing("2024-05-06", calendar="Mon-Fri except 2024-03-29, 2024-12-25")
    assert np.isnan(gridded(listed).values).sum() == 1


def test_a_session_without_any_row_was_closed() -> None:
    days = ("2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08")
    times = [f"{day}T{hour:02d}" for day in days for hour in range(9, 17)]
    trading = content(times, frequency="h", calendar="Mon-Fri 09:00-16:00")
    assert gridded(trading) is trading
    without_an_hour = content(
        [each for each in times if each != "2024-07-02T12"],
        frequency="h",
        calendar="Mon-Fri 09:00-16:00",
    )
    assert np.isnan(gridded(without_an_hour).values).sum() == 1


def test_hours_outside_a_calendar_are_no_gaps() -> None:
    sessions = content(
        ["2024-01-05T15", "2024-01-05T16", "2024-01-08T09"],
        frequency="h",
        calendar="Mon-Fri 09:00-16:00",
    )
    assert gridded(sessions) is sessions


def test_each_series_has_a_grid_of_its_own() -> None:
    two = content(
        ["2024-01-01", "2024-01-03", "2023-01-01", "2023-01-02"],
        frequency="D",
        labels=("a", "b"),
        series=np.array([0, 0, 1, 1], np.int32),
    )
    whole = gridded(two)
    assert whole.series.tolist() == [0, 0, 0, 1, 1]
    assert np.isnan(whole.values[:, 0]).tolist() == [False, True, False, False, False]


def test_an_hour_that_clocks_skip_is_no_gap() -> None:
    zoned = content(
        ["2024-03-31T01", "2024-03-31T03"],
        frequency="h",
        time_form="zoned",
        offsets=np.array([60, 120], np.int16),
    )
    assert gridded(zoned) is zoned


def test_without_a_frequency_or_with_one_wrong_time_rows_stay_as_they_are() -> None:
    irregular = content(["2024-01-01", "2024-01-05"], frequency=None)
    assert gridded(irregular) is irregular
    wrong = content(["2024-01-01", "2024-01-02", "2124-01-03"], frequency="D")
    assert gridded(wrong) is wrong
