import numpy as np
import pytest

from app.errors import Unprocessable
from app.predictions.times import read_timestamps


@pytest.mark.parametrize(
    ("texts", "frequency", "following"),
    [
        (["2017-01-05", "2017-01-06"], "B", ["2017-01-09", "2017-01-10"]),
        (["2017-01-05", "2017-01-06"], "D", ["2017-01-07", "2017-01-08"]),
        (["2024-01-31", "2024-02-29"], "ME", ["2024-03-31", "2024-04-30"]),
        (["2023-10-01", "2024-01-01"], "QS", ["2024-04-01", "2024-07-01"]),
        (
            ["2017-01-03T09:30:00", "2017-01-03T09:45:00"],
            "15min",
            ["2017-01-03T10:00:00", "2017-01-03T10:15:00"],
        ),
        (
            ["2017-01-03T22:00:00+01:00", "2017-01-03T23:00:00+01:00"],
            "h",
            ["2017-01-04T00:00:00+01:00", "2017-01-04T01:00:00+01:00"],
        ),
        (
            ["2017-01-03T22:00:00Z", "2017-01-03T23:00:00Z"],
            "h",
            ["2017-01-04T00:00:00Z", "2017-01-04T01:00:00Z"],
        ),
        (
            ["2017-01-03T22:00:00Z", "2017-01-03T23:00:00+00:00"],
            "h",
            ["2017-01-04T00:00:00+00:00", "2017-01-04T01:00:00+00:00"],
        ),
        (["2017-01-03"], "D", ["2017-01-04", "2017-01-05"]),
        (
            ["2017-01-03T22:00:00-09:30", "2017-01-03T23:00:00-09:30"],
            "h",
            ["2017-01-04T00:00:00-09:30", "2017-01-04T01:00:00-09:30"],
        ),
    ],
)
def test_times_go_on_in_the_form_they_were_given(
    texts: list[str], frequency: str, following: list[str]
) -> None:
    stamps = read_timestamps(texts, rows=len(texts))
    assert stamps.fits(frequency)
    assert stamps.continued(frequency, 2) == following


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        (["2017-01-03"], "timestamps"),
        (["2017-01-03", "03.01.2017"], "timestamps.1"),
        (["2017-01-03", "2017-02-31"], "timestamps.1"),
        (["2017-01-03", "2017-W01-4"], "timestamps.1"),
        (["2017-01-03", ""], "timestamps.1"),
        (["2017-01-03", "2017-01-03"], "timestamps.1"),
        (["2017-01-03", "2017-01-02"], "timestamps.1"),
        (["2017-01-03T00:00:00", "2017-01-04T00:00:00Z"], "timestamps.1"),
        (["2017-01-03", "2017-01-04T00:00:00"], "timestamps.1"),
        (["2017-01-03T10:00:00+01:00", "2017-01-03T10:30:00+02:00"], "timestamps.1"),
        (["2017-01-03", "2017-01-04\x00"], "timestamps.1"),
    ],
)
def test_times_that_make_no_series_are_named(texts: list[str], field: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        read_timestamps(texts, rows=2)
    assert [place.field for place in refused.value.errors] == [field]


@pytest.mark.parametrize(
    ("texts", "frequency"),
    [
        (["2017-01-06", "2017-01-07"], "B"),  # a Saturday
        (["2017-01-01", "2017-01-08"], "D"),
        (["2017-01-01", "2017-01-02"], "W"),
        (["2017-01-01", "2017-03-01"], "MS"),
        (["2017-01-01T00:00:00", "2017-01-01T00:01:00"], "h"),
    ],
)
def test_another_pace_is_noticed(texts: list[str], frequency: str) -> None:
    assert not read_timestamps(texts, rows=2).fits(frequency)


@pytest.mark.parametrize(
    ("frequency", "shortest", "longest"),
    [
        ("D", 1, 1),
        ("2W", 14, 14),
        ("MS", 28, 31),
        ("ME", 28, 31),
        ("QS", 89, 92),
        ("QE", 89, 92),
        ("YS", 365, 366),
        ("YE", 365, 366),
    ],
)
def test_a_step_is_as_long_as_the_calendar_has_it(
    frequency: str, shortest: int, longest: int
) -> None:
    for days in (shortest, longest, 0.98 * shortest, 1.02 * longest):
        later = np.datetime64("2017-01-01T00:00:00") + np.timedelta64(int(days * 86_400), "s")
        stamps = read_timestamps(["2017-01-01T00:00:00", str(later)], rows=2)
        assert stamps.fits(frequency) == (shortest <= days <= longest), days


@pytest.mark.parametrize(
    ("texts", "following"),
    [
        (["9999-12-29", "9999-12-30"], ["9999-12-31"]),
        (["9999-12-30T00:00:00+01:00", "9999-12-31T00:00:00+01:00"], []),
    ],
)
def test_no_time_is_told_past_the_years_of_four_digits(
    texts: list[str], following: list[str]
) -> None:
    assert read_timestamps(texts, rows=2).continued("D", 3) == following


def test_holidays_do_not_make_another_pace_nor_do_a_few_times_between() -> None:
    texts = ["2016-12-29", "2016-12-30", "2017-01-03", "2017-01-04", "2017-01-05"]
    assert read_timestamps(texts, rows=5).fits("B")
    between = ["2017-01-01T07:00", "2017-01-01T08:00"]
    texts = [*between, *(f"2017-01-0{day}T09:00" for day in range(1, 6))]
    assert read_timestamps(texts, rows=7).fits("D")
