"""Test dates as offices, exchanges and programs write them."""
# ruff: noqa: E501  a row of examples reads better on one line

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reading.kinds.reading import START, Read, day, hour, lines, month, wave

Writer = Callable[[int], str]


def english(time: dt.datetime, form: str) -> str:
    return time.strftime(form)


FORMS: dict[str, tuple[Writer, str, str, str]] = {
    # name: how row n is written, and first time, last time and frequency of 40 rows
    "hour AM": (lambda at: f"{hour(at):%Y-%m-%d %I-%p}", "2021-01-04T00:00:00", "2021-01-05T15:00:00", "h"),
    "CET": (lambda at: f"{hour(at)} CET", "2021-01-04T00:00:00+01:00", "2021-01-05T15:00:00+01:00", "h"),
    "EDT": (lambda at: f"{hour(at):%m/%d/%Y %H:%M} EDT", "2021-01-04T00:00:00-04:00", "2021-01-05T15:00:00-04:00", "h"),
    "UTC+1": (lambda at: f"{hour(at)} UTC+1", "2021-01-04T00:00:00+01:00", "2021-01-05T15:00:00+01:00", "h"),
    "unknown zone": (lambda at: f"{hour(at)} BRST", "2021-01-04T00:00:00", "2021-01-05T15:00:00", "h"),
    "Uhr": (lambda at: f'"{hour(at):%d.%m.%Y, %H:%M} Uhr"', "2021-01-04T00:00:00", "2021-01-05T15:00:00", "h"),
    "FY-Q": (lambda at: f"FY{10 + at // 4}-Q{at % 4 + 1}", "2010-01-01", "2019-10-01", "QS"),
    "Q FY": (lambda at: f"Q{at % 4 + 1} FY{2010 + at // 4}", "2010-01-01", "2019-10-01", "QS"),
    "season": (lambda at: f"{1975 + at}/{(1976 + at) % 100:02d}", "1975-01-01", "2014-01-01", "YS"),
    "season with hyphen": (lambda at: f"{2001 + at}-{(2002 + at) % 100:02d}", "2001-01-01", "2040-01-01", "YS"),
    "Q'yy": (lambda at: f"Q{at % 4 + 1}'{10 + at // 4}", "2010-01-01", "2019-10-01", "QS"),
    "nQyy": (lambda at: f"{at % 4 + 1}Q{10 + at // 4}", "2010-01-01", "2019-10-01", "QS"),
    "1. Quartal": (lambda at: f"{at % 4 + 1}. Quartal {2010 + at // 4}", "2010-01-01", "2019-10-01", "QS"),
    "2010-1Q": (lambda at: f"{2010 + at // 4}-{at % 4 + 1}Q", "2010-01-01", "2019-10-01", "QS"),
    "week of": (lambda at: f"Week of {day(at, step=7)}", "2021-01-04", "2021-10-04", "W"),
    "T1 2010": (lambda at: f"T{at % 4 + 1} {2010 + at // 4}", "2010-01-01", "2019-10-01", "QS"),
    "2010K1": (lambda at: f"{2010 + at // 4}K{at % 4 + 1}", "2010-01-01", "2019-10-01", "QS"),
    "W-year": (lambda at: f"W{at + 1:02d}-2019", "2018-12-31", "2019-09-30", "W"),
    "KW n/year": (lambda at: f"KW {at + 1}/2019", "2018-12-31", "2019-09-30", "W"),
    "2019U03": (lambda at: f"2019U{at + 1:02d}", "2018-12-31", "2019-09-30", "W"),
    "week 3, 2019": (lambda at: f'"week {at + 1}, 2019"', "2018-12-31", "2019-09-30", "W"),
    "week as interval": (
        lambda at: f"{day(at, step=7):%d/%m/%Y} - {day(at * 7 + 6):%d/%m/%Y}", "2021-01-04", "2021-10-04", "W"
    ),
    "hour as interval": (
        lambda at: f"{hour(at):%d.%m.%Y %H:%M} - {hour(at + 1):%d.%m.%Y %H:%M}",
        "2021-01-04T00:00:00", "2021-01-05T15:00:00", "h",
    ),
    "interval with one date": (
        lambda at: f"{hour(at):%Y-%m-%d %H:%M} - {hour(at + 1):%H:%M}", "2021-01-04T00:00:00", "2021-01-05T15:00:00", "h"
    ),
    "ISO interval": (
        lambda at: f"{hour(at).isoformat()}/{hour(at + 1).isoformat()}", "2021-01-04T00:00:00", "2021-01-05T15:00:00", "h"
    ),
    "day of year": (lambda at: f"{day(at):%Y-%j}", "2021-01-04", "2021-02-12", "D"),
    "folder of a data lake": (lambda at: f"dt={day(at)}", "2021-01-04", "2021-02-12", "D"),
    "ctime": (lambda at: english(hour(at), "%a %b %d %H:%M:%S %Y"), "2021-01-04T00:00:00", "2021-01-05T15:00:00", "h"),
    "JavaScript": (
        lambda at: english(hour(at), "%a %b %d %Y %H:%M:%S") + " GMT+0100 (Central European Standard Time)",
        "2021-01-04T00:00:00+01:00", "2021-01-05T15:00:00+01:00", "h",
    ),
    "Oracle": (
        lambda at: english(hour(at), "%d-%b-%y %I.%M.%S.000000 %p").upper(),
        "2021-01-04T00:00:00", "2021-01-05T15:00:00", "h",
    ),
    "Db2": (lambda at: f"{hour(at):%Y-%m-%d-%H.%M.%S.000000}", "2021-01-04T00:00:00", "2021-01-05T15:00:00", "h"),
    "web server": (
        lambda at: english(hour(at), "%d/%b/%Y:%H:%M:%S +0000"), "2021-01-04T00:00:00+00:00", "2021-01-05T15:00:00+00:00", "h"
    ),
    "kanji": (lambda at: f"{day(at).year}年{day(at).month}月{day(at).day}日", "2021-01-04", "2021-02-12", "D"),
    "kanji with time": (
        lambda at: f"{hour(at):%Y年%m月%d日 %H時%M分}", "2021-01-04T00:00:00", "2021-01-05T15:00:00", "h"
    ),
    "kanji quarter": (lambda at: f"{2010 + at // 4}年第{at % 4 + 1}季度", "2010-01-01", "2019-10-01", "QS"),
    "hangul": (lambda at: f"{day(at).year}년 {day(at).month}월 {day(at).day}일", "2021-01-04", "2021-02-12", "D"),
    "Reiwa": (lambda at: f"令和{3 + at // 12}年{at % 12 + 1}月", "2021-01-01", "2024-04-01", "MS"),
    "R3.1.4": (lambda at: f"R{day(at).year - 2018}.{day(at).month}.{day(at).day}", "2021-01-04", "2021-02-12", "D"),
    "Minguo": (lambda at: f"{day(at).year - 1911}/{day(at):%m/%d}", "2021-01-04", "2021-02-12", "D"),
    "Spanish": (lambda at: f"{month(at).day} de {('enero', 'febrero', 'marzo', 'abril', 'mayo', 'junio', 'julio', 'agosto', 'septiembre', 'octubre', 'noviembre', 'diciembre')[at % 12]} de {month(at).year}", "2012-01-01", "2015-04-01", "MS"),
    "Russian": (lambda at: f"{day(at).day} {('января', 'февраля')[day(at).month - 1]} {day(at).year}", "2021-01-04", "2021-02-12", "D"),
    "Thai month": (lambda at: f"{day(at).day} {('มกราคม', 'กุมภาพันธ์')[day(at).month - 1]} {day(at).year}", "2021-01-04", "2021-02-12", "D"),
    "year and week": (lambda at: f"{2019 + at // 52}{at % 52 + 1:02d}", "2018-12-31", "2019-09-30", "W"),
    "decimal year": (lambda at: f"{2000 + (at + 0.5) / 12:.3f}", "2000-01-01", "2003-04-01", "MS"),
    "year.month": (lambda at: f"{month(at):%Y.%m}", "2012-01-01", "2015-04-01", "MS"),
}  # fmt: skip


@pytest.mark.parametrize("order", ["oldest first", "newest first"])
@pytest.mark.parametrize("form", FORMS)
def test_a_date_is_read(tmp_path: Path, form: str, order: str) -> None:
    write, *span = FORMS[form]
    rows = range(40) if order == "oldest first" else reversed(range(40))
    read = Read(tmp_path, lines("Date,value", lambda at: f"{write(at)},{wave(at)}", rows))
    assert list(read.span) == span
    assert read.report.order == order
    assert read.content.column("value").tolist() == [wave(at) for at in range(40)]
    assert read.is_sure


def test_years_of_the_buddhist_calendar_are_named(tmp_path: Path) -> None:
    text = lines("วันที่,ยอด", lambda at: f"{day(at).day}/{day(at).month}/2564,{wave(at)}", range(40))
    read = Read(tmp_path, text)
    assert read.span == ("2021-01-04", "2021-02-12", "D")
    assert read.report.warnings[0].startswith(
        "Doubtful calendar of the years: the Buddhist calendar"
    )
    assert Read(tmp_path, text, years="ad").report.start == "2564-01-04"
    assert Read(tmp_path, text, years="be").span == read.span
    years = Read(tmp_path, lines("year,x", lambda at: f"{2540 + at},{wave(at)}", range(25)))
    assert years.span == ("1997-01-01", "2021-01-01", "YS")


@pytest.mark.parametrize("write", [
    lambda at: f"Stardate {41000 + at} of 2021",
    lambda at: f"{day(at)} at noonish",
    lambda at: f"the {at + 1}. day of 2021",
    lambda at: f"{day(at, step=7):%b %d}",
    lambda at: f"{at // 60:02d}:{at % 60:02d}:00",
])  # fmt: skip
def test_a_column_that_looks_like_times_and_cannot_be_read_is_named_first(
    tmp_path: Path, write: Writer
) -> None:
    read = Read(tmp_path, lines("Date,Close", lambda at: f"{write(at)},{wave(at)}", range(40)))
    assert read.content.times is None
    assert "'Date' looks like times" in read.report.warnings[0]
    assert repr(write(0)) in read.report.warnings[0]
    assert (
        not Read(tmp_path, "Date,Close\n" + f"{write(0)},1\n{write(1)},2\n", date="")
        .report.warnings[0]
        .startswith("Column")
    )


@pytest.mark.parametrize(
    ("write", "order", "span"),
    [
        (lambda at: f"{month(at):%d/%m/%Y}", "dmy", ("2012-01-01", "2019-12-01", "MS")),
        (lambda at: f"{month(at * 3):%m/%d/%Y}", "mdy", ("2012-01-01", "2035-10-01", "QS")),
        (lambda at: f"{month(at):%m-%d-%y}", "mdy", ("2012-01-01", "2019-12-01", "MS")),
        (
            lambda at: f"{hour(at, dt.date(2020, 3, 1)):%d/%m/%Y %H:%M}",
            "dmy",
            ("2020-03-01T00:00:00", "2020-03-04T23:00:00", "h"),
        ),
        (
            lambda at: f"{day(at, dt.date(2020, 1, 7), 7):%d/%m/%Y}",
            "dmy",
            ("2020-01-07", "2021-11-02", "W"),
        ),
    ],
)
@pytest.mark.parametrize("shuffled", [False, True])
def test_regular_steps_decide_between_day_and_month(
    tmp_path: Path, write: Writer, order: str, span: tuple[str, str, str], *, shuffled: bool
) -> None:
    rows = [at * 37 % 96 for at in range(96)] if shuffled else list(range(96))
    read = Read(tmp_path, lines("ds,y", lambda at: f"{write(at)},{wave(at)}", rows))
    assert read.span == span
    assert (read.decision("date_order").chosen, read.is_sure) == (order, True)


@pytest.mark.parametrize(
    ("chosen", "rows", "frequency"), [(None, 72, "MS"), ("QS", 24, "QS"), ("YS", 6, "YS")]
)
def test_annual_rows_among_months_are_named(
    tmp_path: Path, chosen: str | None, rows: int, frequency: str
) -> None:
    text = '"Title","CPI"\n"Unit","Index"\n'
    text += "".join(f'"{2000 + at}","{wave(at)}"\n' for at in range(6))
    text += "".join(f'"{2000 + at // 4} Q{at % 4 + 1}","{wave(at)}"\n' for at in range(24))
    text += "".join(f'"{month(at, 2000):%Y %b}","{wave(at)}"\n'.upper() for at in range(72))
    told = {} if chosen is None else {"frequency": chosen}
    read = Read(tmp_path, text, **told)
    assert (len(read.content), read.report.frequency) == (rows, frequency)
    assert sum(entry.rows for entry in read.report.rows_left_out) == 102 - rows
    if chosen is None:
        assert read.report.warnings[0].startswith("Doubtful step between rows: months")
        assert "quarters" in read.report.warnings[0]


def test_a_repeated_hour_at_the_end_of_summer_time_is_named(tmp_path: Path) -> None:
    def local(at: int) -> dt.datetime:
        return hour(at if at < 51 else at - 1, dt.date(2021, 10, 29))

    text = lines("time,MW", lambda at: f"{local(at)},{wave(at)}", range(200))
    read = Read(tmp_path, text)
    assert "the end of summer time" in read.report.warnings[0]
    assert "2021-10-31T02:00" in read.report.warnings[0]
    assert len(Read(tmp_path, text, duplicates="last").content) == 199


def test_midnights_labelled_a_day_early_are_pointed_out(tmp_path: Path) -> None:
    def label(at: int) -> str:
        return f"{day((at - 1) // 24)} {at % 24:02d}:00"

    text = lines("time,MW", lambda at: f"{label(at)},{wave(at)}", range(1, 241))
    read = Read(tmp_path, text)
    assert read.span == ("2021-01-04T01:00:00", "2021-01-14T00:00:00", "h")
    assert read.report.warnings[0].startswith("Doubtful hours: midnight as the end of its day")
    assert Read(tmp_path, text, hours="start").report.start == f"{START}T00:00:00"


def test_where_nothing_decides_both_orders_are_shown_with_a_cell(tmp_path: Path) -> None:
    text = lines("date,y", lambda at: f"{at:02d}/03/2021,{wave(at)}", range(1, 13))
    warning = Read(tmp_path, text).report.warnings[0]
    assert warning.startswith("Doubtful order of day and month: mdy")
    assert "it makes the first one 2021-01-03" in warning
    assert "it makes the first one 2021-03-01" in warning
    assert warning.count("'01/03/2021' in row 2, column 'date'") == 2
    assert '"date_order" to "dmy"' in warning


def test_of_two_columns_of_dates_the_other_is_shown_with_a_cell(tmp_path: Path) -> None:
    text = lines("ordered,shipped,y", lambda at: f"{day(at)},{day(at + 3)},{wave(at)}", range(40))
    warning = Read(tmp_path, text).report.warnings[0]
    assert "'2021-01-04' in row 2, column 'ordered'" in warning
    assert "'2021-01-07' in row 2, column 'shipped'" in warning
    assert '"date" to "shipped"' in warning
