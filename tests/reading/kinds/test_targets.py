"""Test which column is suggested as the target."""
# ruff: noqa: E501  a row of examples reads better on one line

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reading.kinds.reading import Read, day, hour, lines, month, wave

Writer = Callable[[int], str]


def decimal_year(at: int) -> float:
    return month(at).year + (at % 12 + 0.5) / 12


FILES: dict[str, tuple[str, Writer, str]] = {
    "decimal year": ("Year,Month,decimal,average,unc", lambda at: f"{month(at).year},{at % 12 + 1},{decimal_year(at):.4f},{wave(at)},0.12", "average"),
    "weekday": ("Date,DayOfWeek,Customers", lambda at: f"{day(at)},{day(at).isoweekday()},{wave(at)}", "Customers"),
    "weekday from Sunday": ("Date,dow,x", lambda at: f"{day(at)},{day(at).isoweekday() % 7 + 1},{wave(at)}", "x"),
    "month and hour": ("time,month,hour,x", lambda at: f"{hour(at)},{hour(at).month},{hour(at).hour},{wave(at)}", "x"),
    "weekend flag": ("date,weekend,x", lambda at: f"{day(at)},{int(day(at).weekday() > 4)},{wave(at)}", "x"),
    "postal code": ("date,plz,temp", lambda at: f"{day(at)},01067,{wave(at)}", "temp"),
    "row counter": ("n,date,reading", lambda at: f"{at + 1},{day(at)},{wave(at)}", "reading"),
    "id of each row": ("date,trade_id,size", lambda at: f"{day(at)},{at * 37 % 99991 + 10**6},{wave(at)}", "size"),
    "Unix time": ("Unix,Date,Open", lambda at: f"{1609459200 + 3600 * at},{hour(at, dt.date(2021, 1, 1))},{wave(at)}", "Open"),
    "milliseconds": ("date,ms,Open", lambda at: f"{day(at)},{1609718400000 + 86_400_000 * at},{wave(at)}", "Open"),
    "compact date": ("date,key,sum", lambda at: f"{day(at)},{day(at):%Y%m%d},{wave(at)}", "sum"),
    "constants": ("geoid,zone,datetime,value", lambda at: f"3,600,{day(at)},{wave(at)}", "value"),
    "y": ("ds,x,y", lambda at: f"{day(at)},{wave(at + 9)},{wave(at)}", "y"),
    "close": ("Date,Open,High,Low,Close", lambda at: f"{day(at)},{wave(at)},{wave(at) + 1},{wave(at) - 1},{wave(at)}", "Close"),
    "sales before promotion": ("date,promo,price,sales", lambda at: f"{day(at)},{at % 2},{wave(at, 9)},{wave(at)}", "sales"),
    "latitude": ("date,lat,lon,depth,magnitude", lambda at: f"{day(at)},{wave(at, 40)},{wave(at, 10)},{wave(at)},{wave(at, 5)}", "depth"),
    "seconds elapsed": ("seconds,voltage", lambda at: f"{at * 0.5},{wave(at)}", "voltage"),
    "ruler": ("date,mileage,fuel", lambda at: f"{day(at)},{12_000 + at * 40},{wave(at)}", "fuel"),
    "count of a bike share": ("dteday,season,temp,casual,cnt", lambda at: f"{day(at)},1,{wave(at, 20)},{wave(at, 50)},{wave(at)}", "cnt"),
    "calendar of a store": ("date,year,month,quarter,week,is_weekend,units", lambda at: f"{day(at)},{day(at).year},{day(at).month},{(day(at).month + 2) // 3},{day(at).isocalendar()[1]},{int(day(at).weekday() > 4)},{wave(at)}", "units"),
    "Umsatz": ("Datum,Temperatur,Umsatz", lambda at: f"{day(at)},{wave(at, 10)},{wave(at)}", "Umsatz"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_the_measurement_is_suggested(tmp_path: Path, name: str) -> None:
    header, write, target = FILES[name]
    read = Read(tmp_path, lines(header, write, range(400)))
    assert read.report.target == target
    assert target not in read.report.constant
    assert target not in read.report.target_alternatives


def test_what_is_constant_within_each_series_is_not_suggested(tmp_path: Path) -> None:
    text = lines(
        "date,store,size,sold",
        lambda at: f"{day(at // 2)},{at % 2},{500 + 100 * (at % 2)},{wave(at)}",
        range(200),
    )
    assert Read(tmp_path, text).report.target == "sold"


def test_where_nothing_is_measured_nothing_is_suggested(tmp_path: Path) -> None:
    read = Read(tmp_path, lines("date,flow", lambda at: f"{day(at)},5", range(60)))
    assert read.report.target is None
    assert read.report.target_alternatives == ["flow"]
    assert any("name the one to predict" in warning for warning in read.report.warnings)


def test_a_column_at_odds_with_the_others_is_not_suggested(tmp_path: Path) -> None:
    def row(at: int) -> str:
        close = wave(at) * (2 if at < 60 else 1)
        return f"{day(at)},{wave(at)},{wave(at) + 1},{wave(at) - 1},{close}"

    read = Read(tmp_path, lines("Date,Open,High,Low,Close", row, range(120)))
    assert read.report.target == "Open"
