"""Test dates that are written as plain numbers."""

import numpy as np
import pytest

from app.reading.columns.calendar_days import DAY_US
from app.reading.columns.dates import DateCells
from app.reading.columns.numeric_dates import number_dates, ticks_like_unix_time


def read(numbers: list[float], *, steady: bool = False) -> DateCells | None:
    return number_dates(np.array(numbers, dtype=np.float64), steady=steady)


def iso(found: DateCells) -> list[str]:
    micros = found.days * DAY_US + found.clock
    return [str(time)[:19] for time in micros.astype("datetime64[us]")]


@pytest.mark.parametrize(
    ("numbers", "label", "first"),
    [
        ([20170103, 20170104], "yyyymmdd", "2017-01-03T00:00:00"),
        ([15000101, 22001231], "yyyymmdd", "1500-01-01T00:00:00"),
        ([201701, 201702], "yyyymm", "2017-01-01T00:00:00"),
        ([150001, 220012], "yyyymm", "1500-01-01T00:00:00"),
        ([2016, 2018], "yyyy", "2016-01-01T00:00:00"),
        ([1500, 2200], "yyyy", "1500-01-01T00:00:00"),
        ([42738, 42739.25], "Excel day", "2017-01-03T00:00:00"),
        ([10000.5, 80000], "Excel day", "1927-05-18T12:00:00"),
        ([2017010309, 2017010324], "yyyymmddHH", "2017-01-03T09:00:00"),
        ([201701030945, 201701032400], "yyyymmddHHMM", "2017-01-03T09:45:00"),
        ([20170103094530, 20170103235959], "yyyymmddHHMMSS", "2017-01-03T09:45:30"),
        ([1900010100, 2100123123], "yyyymmddHH", "1900-01-01T00:00:00"),
        ([2100123223, 2100123323], "Unix time", "2036-07-19T23:33:43"),  # no 32nd of December
        ([2017010325, 2017010361], "Unix time", "2033-12-01T00:38:45"),  # no 25th hour
        ([201701030960, 201701030961], "Unix time", "1976-05-23T12:03:50"),  # no 60th minute
        ([1483434000, 1483437600.5], "Unix time", "2017-01-03T09:00:00"),
        ([1483434000000], "Unix time", "2017-01-03T09:00:00"),
        ([1483434000000000], "Unix time", "2017-01-03T09:00:00"),
        ([1483434000000000000], "Unix time", "2017-01-03T09:00:00"),
    ],
)
def test_numbers_are_times_in_the_form_that_fits_all(
    numbers: list[float], label: str, first: str
) -> None:
    found = read([float("nan"), *numbers])
    assert found is not None
    assert (list(found.formats), iso(found)[1]) == ([label], first)
    assert found.dated.tolist() == [False] + [True] * len(numbers)


@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [float("nan")],
        [1.5, 2.5],
        [2016.5, 2017.5],
        [20171301.0, 20171302.0],  # no 13th month
        [201754.0, 201799.0],
        [1499.0, 2016.0],
        [9999.0, 42738.0],
        [42738.0, 80001.0],
    ],
)
def test_numbers_that_fit_no_form_are_no_times(numbers: list[float]) -> None:
    assert read(numbers) is None


def test_one_in_twenty_may_be_no_date() -> None:
    days = [20170101.0 + day for day in range(20)]
    assert read([*days[:19], 20170140.0]) is None
    found = read([*days, 20170140.0])
    assert found is not None
    assert found.dated.tolist() == [True] * 20 + [False]


@pytest.mark.parametrize(
    ("numbers", "are_times"),
    [
        ([2015, 2016, 2017], True),
        ([2017, 2016, 2015], True),
        ([2015, 2017, 2019], False),  # years of every second year could also be values
        ([2015, 2015, 2016], False),
        ([42738, 42739, 42738], False),
        ([42740, 42738, 42739, 42741, 42737], True),  # sorted: day by day
        ([42740, 42700, 42790, 42745, 42737], False),
        ([20170105, 20170101, 20170603, 20170203], True),
        ([42738], True),
    ],
)
def test_a_column_whose_name_says_nothing_has_to_look_like_time(
    numbers: list[float], *, are_times: bool
) -> None:
    assert (read(numbers, steady=True) is not None) == are_times


NEW_YEAR = 1_483_228_800  # 2017


@pytest.mark.parametrize(
    ("numbers", "are_times"),
    [
        ([NEW_YEAR, NEW_YEAR + 60, NEW_YEAR + 120], True),
        ([NEW_YEAR * 1000, NEW_YEAR * 1000 + 250, NEW_YEAR * 1000 + 500], True),
        ([NEW_YEAR + 120, NEW_YEAR + 60, float("nan"), NEW_YEAR], True),  # newest first
        ([NEW_YEAR + 86_400 * day for day in range(30) if day % 7 > 1], True),  # working days
        ([NEW_YEAR + 60 * row + row**2 for row in range(9)], False),  # no two steps are equal
        ([NEW_YEAR, NEW_YEAR + 1, NEW_YEAR + 2], False),  # more likely numbers of invoices
        ([NEW_YEAR, NEW_YEAR + 60, NEW_YEAR + 60, NEW_YEAR + 120, NEW_YEAR + 60], False),
        ([NEW_YEAR, NEW_YEAR + 60.5, NEW_YEAR + 121], False),
        ([5e8, 5e8 + 60, 5e8 + 120], False),  # 1985
        ([5e9, 5e9 + 60, 5e9 + 120], False),  # 2128
        ([100, 160, 220], False),
        ([NEW_YEAR, NEW_YEAR + 60], False),
        ([], False),
    ],
)
def test_unix_times_show_by_themselves(numbers: list[float], *, are_times: bool) -> None:
    assert ticks_like_unix_time(np.array(numbers, dtype=np.float64)) is are_times
