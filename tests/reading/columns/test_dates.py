"""Test single cells as dates, before the order of day and month is decided."""

import numpy as np
import pytest

from app.reading.columns.calendar_days import DAY_US
from app.reading.columns.dates import DateCells, read_dates


def read(cell: str) -> DateCells:
    return read_dates(np.array([cell], dtype=object))


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2016-02-29", "2016-02-29"),
        ("1000-01-01", "1000-01-01"),
        ("2017/1/3", "2017-01-03"),
        ("2017-01", "2017-01-01"),
        ("20170103T0930", "2017-01-03T09:30"),
        ("2017-01-03T09:30:15", "2017-01-03T09:30:15"),
        ("2017-01-03T09:30:00,25", "2017-01-03T09:30:00.25"),
        ("2017-01-03T09:30:00.123456789", "2017-01-03T09:30:00.123456"),
        ("2017-01-03 24:00", "2017-01-04"),
        ("2017-01-03 23:59:60", "2017-01-04"),
        ("2017-01-03 9:30 AM", "2017-01-03T09:30"),
        ("2017-01-03 9:30PM", "2017-01-03T21:30"),
        ("2017-01-03 9:30 p.m.", "2017-01-03T21:30"),
        ("2017-01-03 9:30:15 a.\u00a0m.", "2017-01-03T09:30:15"),  # as written by Excel in Spanish
        ("2017-01-03 12:30 am", "2017-01-03T00:30"),
        ("2017-01-03 12:30 pm", "2017-01-03T12:30"),
        ("3 Jan 2017", "2017-01-03"),
        ("3rd Jan 2017", "2017-01-03"),
        ("Tue, 3 Jan 2017", "2017-01-03"),
        ("3. Januar 2017", "2017-01-03"),
        ("Jan-68", "2068-01-01"),
        ("Jan-69", "1969-01-01"),
        ("2017M12", "2017-12-01"),
        ("2017Q1", "2017-01-01"),
        ("Q4 2017", "2017-10-01"),
        ("2017H2", "2017-07-01"),
        ("2017-W01", "2017-01-02"),
        ("2020-W53-7", "2021-01-03"),
        ("2021W01", "2021-01-04"),
        ("42738.25", "2017-01-03T06:00"),
        ("1483434000", "2017-01-03T09:00"),
        ("1483434000.5", "2017-01-03T09:00:00.5"),
        ("1483434000000", "2017-01-03T09:00"),
    ],
)
def test_a_cell_is_a_time(cell: str, time: str) -> None:
    found = read(cell)
    assert found.dated.tolist() == [True]
    read_as = (found.days * DAY_US + found.clock).astype("datetime64[us]")[0]
    assert read_as == np.datetime64(time, "us")
    assert found.zoned.tolist() == [cell.startswith("1483434000")]  # Unix times are in UTC


@pytest.mark.parametrize(
    "cell",
    [
        "2017-02-29",
        "2017-13-01",
        "2017-00-01",
        "2017-01-00",
        "2017-01-32",
        "0999-12-31",
        "2017-01-03 24:01",
        "2017-01-03 09:60",
        "2017-01-03 09:30:61",
        "2017-01-03 13:30 PM",
        "2017-01-03 0:30 AM",
        "2017-01-03 9:30 XM",
        "2017-01-03 9:30 x.m.",
        "2017M13",
        "2017Q0",
        "2017Q5",
        "2017H3",
        "2017-W00",
        "2017-W54",
        "2017-W01-0",
        "2017-W01-8",
        "Smarch 3, 2017",
        "Foo, 3 Jan 2017",
        "2017-01-03 09:30 XYZ",
        "2017-01-03T09:30:00+16:00",
        "2017-01-03T09:30:00+01:60",
        "2017-2019",
    ],
)
def test_a_cell_is_no_time(cell: str) -> None:
    assert not read(cell).readable.any()


@pytest.mark.parametrize(
    ("zone", "minutes"),
    [("Z", 0), (" UTC", 0), ("+01", 60), ("+0100", 60), ("-09:30", -570), ("+15:59", 959)],
)
def test_a_zone_leaves_the_clock_as_it_is(zone: str, minutes: int) -> None:
    found = read(f"2017-01-03T09:30:00{zone}")
    assert found.dated.tolist() == found.zoned.tolist() == [True]
    assert (found.clock.tolist(), found.offsets.tolist()) == ([34_200_000_000], [minutes])
