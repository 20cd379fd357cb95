"""Test calendars learned from times, and the next times that follow from them."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

import numpy as np
import pytest

from app.reading.series.calendar import parse_calendar
from app.reading.series.frequency import next_times, steps_between
from app.reading.series.frequency_finder import FoundFrequency, find_frequency

START = date(2023, 1, 2)  # a Monday


def found(times: Iterable[date]) -> FoundFrequency:
    stamps = np.array(sorted(times), dtype="datetime64[us]")
    return find_frequency(stamps, np.zeros(len(stamps), dtype=np.int32))


def dates(count: int, *, weekdays: Iterable[int] = range(7), start: date = START) -> list[date]:
    every = (start + timedelta(days=at) for at in range(count))
    return [day for day in every if day.weekday() in set(weekdays)]


def bars(days: Iterable[date], first: str, last: str, minutes: int) -> list[datetime]:
    begin, end = time.fromisoformat(first), time.fromisoformat(last)
    count = ((end.hour - begin.hour) * 60 + end.minute - begin.minute) // minutes
    return [
        datetime.combine(day, begin) + timedelta(minutes=minutes * at)
        for day in days
        for at in range(count + 1)
    ]


def after(last: str, frequency: str, calendar: str | None, steps: int = 2) -> list[str]:
    times = next_times(np.datetime64(last, "us"), frequency, steps, calendar)
    return [str(each).removesuffix(":00.000000") for each in times]


@pytest.mark.parametrize(
    ("weekdays", "frequency", "calendar"),
    [
        (range(7), "D", None),
        (range(5), "B", None),
        (range(6), "C", "Mon-Sat"),
        ((6, 0, 1, 2, 3), "C", "Sun-Thu"),
        ((0, 2, 4), "C", "Mon,Wed,Fri"),
        ((1, 3), "C", "Tue,Thu"),
        ((4, 5, 6), "C", "Fri-Sun"),
        ((2,), "W", None),
    ],
)
def test_the_weekdays_with_rows_are_learnt(
    weekdays: Iterable[int], frequency: str, calendar: str | None
) -> None:
    learnt = found(dates(200, weekdays=weekdays))
    assert (learnt.frequency, learnt.calendar, learnt.exceptions) == (frequency, calendar, 0)


def test_a_few_rows_on_closed_days_change_nothing() -> None:
    days = dates(3000, weekdays=range(5)) + dates(3000, weekdays=[6])[::20]
    learnt = found(days)
    assert (learnt.frequency, learnt.calendar, learnt.exceptions) == ("B", None, 22)
    open_saturdays = found(dates(3000, weekdays=range(5)) + dates(3000, weekdays=[5])[::3])
    assert (open_saturdays.frequency, open_saturdays.calendar) == ("C", "Mon-Sat")


def test_holidays_do_not_close_a_weekday() -> None:
    days = [day for at, day in enumerate(dates(400, weekdays=range(6))) if at % 9]
    assert found(days).calendar == "Mon-Sat"


def test_gaps_in_a_daily_series_are_no_calendar() -> None:
    days = [day for day in dates(19) if day.day not in {8, 9}]
    assert (found(days).frequency, found(days).calendar) == ("D", None)


@pytest.mark.parametrize(
    ("pair", "frequency", "calendar"),
    [
        ((1, 16), "SMS", "1, 16"),
        ((1, 15), "SMS", "1, 15"),
        ((5, 20), "SMS", "5, 20"),
        ((15, 31), "SME", "15, last"),
    ],
)
def test_two_days_a_month_are_half_months(
    pair: tuple[int, int], frequency: str, calendar: str
) -> None:
    every = dates(800)
    days = [
        day
        for day in every
        if day.day in pair or (pair[1] == 31 and (day + timedelta(days=1)).day == 1)
    ]
    learnt = found(days)
    assert (learnt.frequency, learnt.calendar) == (frequency, calendar)
    ahead = next_times(np.datetime64(days[-5], "us"), frequency, 4, calendar)
    assert [str(each)[:10] for each in ahead] == [day.isoformat() for day in days[-4:]]


@pytest.mark.parametrize(
    ("times", "frequency", "calendar"),
    [
        (bars(dates(30, weekdays=range(5)), "09:30", "16:00", 30), "30min", "Mon-Fri 09:30-16:00"),
        (bars(dates(30), "08:00", "20:00", 60), "h", "Mon-Sun 08:00-20:00"),
        (bars(dates(5), "09:30", "16:00", 30), "30min", "Mon-Fri 09:30-16:00"),
        (
            bars(dates(60, weekdays=range(5)), "09:30", "11:30", 15)
            + bars(dates(60, weekdays=range(5)), "13:00", "15:00", 15),
            "15min",
            "Mon-Fri 09:30-11:30,13:00-15:00",
        ),
        (
            bars(dates(60, weekdays=range(4)), "00:00", "23:00", 60)
            + bars(dates(60, weekdays=[4]), "00:00", "21:00", 60)
            + bars(dates(60, weekdays=[6]), "22:00", "23:00", 60),
            "h",
            "Mon-Thu; Fri 00:00-21:00; Sun 22:00-23:00",
        ),
        (bars(dates(60, weekdays=range(5)), "00:00", "23:00", 60), "h", "Mon-Fri"),
        (bars(dates(60), "00:00", "23:00", 60), "h", None),
        (bars(dates(60), "00:00", "23:00", 60)[:40], "h", None),
    ],
    ids=["market", "shop", "a week", "lunch break", "currencies", "weekdays", "all day", "short"],
)
def test_hours_with_rows_are_learnt(
    times: list[datetime], frequency: str, calendar: str | None
) -> None:
    learnt = found(times)
    assert (learnt.frequency, learnt.calendar) == (frequency, calendar)


def test_a_hole_of_a_night_is_no_closing_time() -> None:
    times = bars(dates(10), "00:00", "23:00", 60)
    learnt = found(times[:50] + times[57:])
    assert (learnt.frequency, learnt.calendar) == ("h", None)


@pytest.mark.parametrize(
    ("last", "frequency", "calendar", "expected"),
    [
        ("2023-10-28", "C", "Mon-Sat", ["2023-10-30T00:00", "2023-10-31T00:00"]),
        ("2023-10-28T12:00", "D", "Mon-Sat", ["2023-10-30T12:00", "2023-10-31T12:00"]),
        ("2021-03-16", "SMS", "1, 16", ["2021-04-01T00:00", "2021-04-16T00:00"]),
        ("2021-02-15", "SME", "15, last", ["2021-02-28T00:00", "2021-03-15T00:00"]),
        ("2021-03-16", "SMS", None, ["2021-04-01T00:00", "2021-04-16T00:00"]),
        (
            "2024-03-15T16:00",
            "30min",
            "Mon-Fri 09:30-16:00",
            ["2024-03-18T09:30", "2024-03-18T10:00"],
        ),
        ("2024-03-15T20:00", "h", "Mon-Fri 09:30-15:30", ["2024-03-18T09:30", "2024-03-18T10:30"]),
        (
            "2024-03-15T21:00",
            "h",
            "Mon-Thu; Fri 00:00-21:00; Sun 22:00-23:00",
            ["2024-03-17T22:00", "2024-03-17T23:00"],
        ),
    ],
)
def test_forecasts_are_dated_on_the_next_open_slot(
    last: str, frequency: str, calendar: str | None, expected: list[str]
) -> None:
    assert after(last, frequency, calendar) == expected


def test_closed_hours_are_no_gaps_and_missing_rows_are() -> None:
    times = bars(dates(14, weekdays=range(5)), "09:30", "16:00", 30)
    del times[20:23]
    steps = steps_between(np.array(times, dtype="datetime64[us]"), "30min", "Mon-Fri 09:30-16:00")
    assert np.flatnonzero(steps != 1).tolist() == [19]
    assert steps[19] == 4


def test_closed_dates_are_no_steps_and_no_next_times() -> None:
    calendar = "Mon-Fri except 2024-12-25, 2025-01-01"
    assert after("2024-12-24", "B", calendar) == ["2024-12-26T00:00", "2024-12-27T00:00"]
    days = np.array(["2024-12-24", "2024-12-26", "2025-01-02"], dtype="datetime64[us]")
    assert steps_between(days, "B", calendar).tolist() == [1, 4]


def test_closed_dates_have_no_sessions() -> None:
    calendar = "Mon-Fri 09:00-11:00 except 2024-12-25, 2024-12-26"
    assert after("2024-12-24T11:00", "h", calendar) == [
        "2024-12-27T09:00",
        "2024-12-27T10:00",
    ]
    hours = np.array(["2024-12-23T11", "2024-12-24T09", "2024-12-27T09"], dtype="datetime64[us]")
    assert steps_between(hours, "h", calendar).tolist() == [1, 3]


@pytest.mark.parametrize(
    "text",
    [
        "Mon-Sat",
        "Sun-Thu",
        "Mon,Wed",
        "1, 16",
        "5, last",
        "Mon-Fri except none",
        "Mon-Fri 09:30-16:00 except 2024-12-25, 2025-01-01",
    ],
)
def test_a_calendar_reads_back_as_it_is_written(text: str) -> None:
    assert str(parse_calendar(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Foo",
        "Mon-Fri 9-17",
        "Mon 09:00-25:00",
        "16, 1",
        "0, 3",
        "Mon; Mon",
        "1, 32",
        "1, 16 except 2024-01-16",
        "Mon-Fri except",
        "Mon-Fri except 2024-02-30",
        "Mon-Fri except 2025-01-01, 2024-12-25",
    ],
)
def test_anything_else_is_not_a_calendar(text: str) -> None:
    with pytest.raises(ValueError, match="is not a calendar"):
        parse_calendar(text)
