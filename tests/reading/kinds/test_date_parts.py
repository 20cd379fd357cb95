"""Test times whose parts are in several columns."""
# ruff: noqa: E501  a row of examples reads better on one line

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reading.kinds.reading import MONTHS, START, Read, day, hour, lines, month, refusal, wave

Writer = Callable[[int], str]
HOURS = ("2021-01-04T00:00:00", "2021-01-13T23:00:00", "h")
MONTHLY = ("2012-01-01", "2031-12-01", "MS")


def minutes(at: int, step: int) -> dt.datetime:
    return dt.datetime.combine(START, dt.time()) + dt.timedelta(minutes=at * step)


PARTS: dict[str, tuple[str, Writer, tuple[str, str, str]]] = {
    "YEAR,MO,DY,HR": ("YEAR,MO,DY,HR", lambda at: f"{hour(at):%Y},{hour(at).month},{hour(at).day},{hour(at).hour}", HOURS),
    "Jahr;Monat": ("Jahr,Monat", lambda at: f"{month(at).year},{month(at).month}", MONTHLY),
    "Año,Mes,Día,Hora": ("Año,Mes,Día,Hora", lambda at: f"{hour(at):%Y},{hour(at).month},{hour(at).day},{hour(at).hour}", HOURS),
    "date and hour ending 1 to 24": ("OPR_DT,HOUR_ENDING", lambda at: f"{day(at // 24)},{at % 24 + 1}", HOURS),
    "date and HE01": ("Date,Hour Ending", lambda at: f"{day(at // 24)},HE{at % 24 + 1:02d}", HOURS),
    "compact date and hour": ("DATE,HE", lambda at: f"{day(at // 24):%Y%m%d},{at % 24 + 1}", HOURS),
    "settlement period": ("SETTLEMENT_DATE,SETTLEMENT_PERIOD", lambda at: f"{day(at // 48):%d-%b-%Y},{at % 48 + 1}", ("2021-01-04T00:00:00", "2021-01-08T23:30:00", "30min")),
    "quarter-hours": ("day,ISP", lambda at: f"{day(at // 96)},{at % 96 + 1}", ("2021-01-04T00:00:00", "2021-01-06T11:45:00", "15min")),
    "DATE and HHMMSS": ("<DATE>,<TIME>", lambda at: f"{minutes(at, 5):%Y%m%d},{minutes(at, 5):%H%M%S}", ("2021-01-04T00:00:00", "2021-01-04T19:55:00", "5min")),
    "date and HHMM": ("date,time", lambda at: f"{minutes(at, 15):%Y-%m-%d},{minutes(at, 15):%H%M}", ("2021-01-04T00:00:00", "2021-01-06T11:45:00", "15min")),
    "year and month name": ("Year,Month", lambda at: f"{month(at).year},{MONTHS[at % 12]}", MONTHLY),
    "year and M01": ("year,period", lambda at: f"{month(at).year},M{month(at).month:02d}", MONTHLY),
    "year and week": ("Year,Week", lambda at: f"{2016 + at // 52},{at % 52 + 1}", ("2016-01-04", "2020-08-03", "W")),
    "year, quarter and month": ("Year,Qtr,Month", lambda at: f"{month(at).year},Q{at % 12 // 3 + 1},{MONTHS[at % 12]}", MONTHLY),
    "year and quarter": ("Year,Quarter", lambda at: f"{1960 + at // 4},{at % 4 + 1}", ("1960-01-01", "2019-10-01", "QS")),
    "year and day 1 to 365": ("Year,Day", lambda at: f"{2019 + at // 365},{at % 365 + 1}", ("2019-01-01", "2019-08-28", "D")),
    "date and hours as intervals": ("Day,Hours", lambda at: f"{day(at // 24):%d-%m-%Y},{at % 24:02d} - {at % 24 + 1:02d}", HOURS),
    "date and quarter-hours as intervals": ("Date,From-to", lambda at: f"{minutes(at, 15):%Y-%m-%d},{minutes(at, 15):%H:%M}-{minutes(at + 1, 15):%H:%M}", ("2021-01-04T00:00:00", "2021-01-06T11:45:00", "15min")),
    "year, day of year, hour": ("YEAR,DOY,HOUR", lambda at: f"{hour(at):%Y},{int(f'{hour(at):%j}')},{hour(at).hour}", HOURS),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_parts_are_joined(tmp_path: Path, name: str) -> None:
    header, write, span = PARTS[name]
    text = lines(f"{header},reading", lambda at: f"{write(at)},{wave(at)}", range(240))
    read = Read(tmp_path, text)
    assert read.span == span
    assert read.content.columns == ("reading",)
    assert read.is_sure
    assert Read(tmp_path, text, date=header.split(",")).content == read.content


def test_year_and_month_without_names_are_joined_beside_named_values(tmp_path: Path) -> None:
    """As GENESIS tables have them, under a title and with a note below."""
    months = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
    rows = [
        f"{2019 + at // 12};{months.split()[at % 12]};{100 + at % 7},{at % 10};{at % 3},5"
        for at in range(36)
    ]
    above = ("Preise, Monate;;;", ";;Index;Change", ";;2020=100;in %")
    text = "\n".join((*above, *rows, "__________", ""))
    read = Read(tmp_path, text)
    assert read.span == ("2019-01-01", "2021-12-01", "MS")
    assert read.report.target == "Index"


def test_parts_without_names_are_joined(tmp_path: Path) -> None:
    def row(at: int) -> str:
        return f"{month(at).year};{at % 12 + 1:02d};{month(at).year + (at % 12 + 0.5) / 12:.3f};{wave(at)};-1"

    read = Read(tmp_path, "\n".join(map(row, range(240))))
    assert read.span == MONTHLY
    assert read.report.target == "column 4"


def test_annual_averages_among_months_are_left_out(tmp_path: Path) -> None:
    text = lines(
        "series_id,year,period,value",
        lambda at: f"LNS1,{2000 + at // 13},M{at % 13 + 1:02d},{wave(at)}",
        range(130),
    )
    read = Read(tmp_path, text)
    assert read.span == ("2000-01-01", "2009-12-01", "MS")
    assert read.report.rows_left_out[0].rows == 10


def test_whether_hour_1_of_24_is_its_start_or_its_end_is_in_doubt(tmp_path: Path) -> None:
    text = lines(
        "OPR_DT,OPR_HR,MW", lambda at: f"{day(at // 24)},{at % 24 + 1},{wave(at)}", range(240)
    )
    read = Read(tmp_path, text)
    assert read.span == HOURS
    assert "Doubtful hours: hour 1 as 00:00" in read.report.warnings[0]


def test_hours_can_be_said_to_name_their_end(tmp_path: Path) -> None:
    text = lines("Date,HE,MW", lambda at: f"{day(at // 24)},{at % 24 + 1},{wave(at)}", range(240))
    assert Read(tmp_path, text, hours="end").span == (
        "2021-01-04T01:00:00",
        "2021-01-14T00:00:00",
        "h",
    )


def test_hours_worked_are_values(tmp_path: Path) -> None:
    text = lines(
        "date,store,hours,sales",
        lambda at: f"{day(at // 2)},{'AB'[at % 2]},{8 + at % 3},{wave(at)}",
        range(120),
    )
    read = Read(tmp_path, text)
    assert read.content.columns == ("hours", "sales")
    assert read.content.labels == ("A", "B")


def test_columns_that_make_no_times_together_are_refused(tmp_path: Path) -> None:
    text = lines("date,colour,x", lambda at: f"{day(at)},red,{wave(at)}", range(40))
    error = refusal(tmp_path, text, date=["date", "colour"])
    assert error.errors[0].field == "read.date"
    assert "date, colour do not form times" in error.detail
