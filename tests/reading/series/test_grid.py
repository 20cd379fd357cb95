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


def test_weekends_of_business_days_and_hours_outside_a_calendar_are_no_gaps() -> None:
    days = content(["2024-01-05", "2024-01-08", "2024-01-10"], frequency="B")
    assert gridded(days).row_times_iso()[-2:] == ["2024-01-09T00:00:00", "2024-01-10T00:00:00"]
    assert len(gridded(days)) == 4
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
