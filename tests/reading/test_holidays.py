"""Closed days of markets and countries, found from the days without a row, or named."""

from pathlib import Path

import numpy as np
import pytest

from app.reading.arrays import Times
from app.reading.content import SeriesContent
from app.reading.extend import join
from app.reading.holidays import canonical_calendar, dated_calendar
from app.reading.read_options import ReadOptions
from app.reading.report import Report, UnreadableFile
from app.reading.series.calendar import parse_calendar
from tests.reading.test_peculiar_files import read

# From the pages of the New York Stock Exchange; on the last two days of October a hurricane came.
NEW_YORK = (
    *("2012-01-02", "2012-01-16", "2012-02-20", "2012-04-06", "2012-05-28", "2012-07-04"),
    *("2012-09-03", "2012-10-29", "2012-10-30", "2012-11-22", "2012-12-25", "2013-01-01"),
    *("2013-01-21", "2013-02-18", "2013-03-29", "2013-05-27", "2013-07-04", "2013-09-02"),
    *("2013-11-28", "2013-12-25"),
)
# Of all of Germany, on Mondays to Saturdays.
GERMANY = (
    *("2022-01-01", "2022-04-15", "2022-04-18", "2022-05-26", "2022-06-06", "2022-10-03"),
    *("2022-12-26", "2023-04-07", "2023-04-10", "2023-05-01", "2023-05-18", "2023-05-29"),
    *("2023-10-03", "2023-12-25", "2023-12-26"),
)


def file_of(first: str, stop: str, closed: tuple[str, ...], *, week: str = "1111100") -> bytes:
    days = np.arange(first, stop, dtype="datetime64[D]")
    kept = days[np.is_busday(days, weekmask=week, holidays=np.array(closed, dtype="datetime64[D]"))]
    lines = [f"{day},{100 + day.astype(int) % 7 + day.astype(int) % 11 / 10}\n" for day in kept]
    return ("date,price\n" + "".join(lines)).encode()


PRICES = file_of("2012-01-02", "2014-01-01", NEW_YORK)


def read_series(tmp_path: Path, data: bytes, **options: object) -> tuple[SeriesContent, Report]:
    result = read(tmp_path, "file.csv", data, **options)
    assert isinstance(result.content, SeriesContent)
    return result.content, result.report


def test_prices_of_new_york_have_its_calendar(tmp_path: Path) -> None:
    content, report = read_series(tmp_path, PRICES)

    decision = report.decision("calendar")
    assert decision is not None
    assert (decision.chosen, decision.certainty) == ("closed days of XNYS", "sure")
    assert decision.reason == "19 of the 19 days without a row are its closed days"
    assert (decision.runner_up, decision.settle) == ("closed days of XSIF", {"calendar": "XSIF"})
    assert (report.calendar, report.gap_count) == ("Mon-Fri except XNYS", 0)
    assert content.calendar is not None
    calendar = parse_calendar(content.calendar)
    assert calendar.title == "Mon-Fri except XNYS"
    dates = np.array(calendar.closed, dtype="datetime64[D]").astype(str).tolist()
    assert dates[:20] == [*NEW_YORK]
    assert dates[-1] == "2023-12-25"  # ten years ahead


def test_a_row_that_is_missing_on_another_day_is_a_gap(tmp_path: Path) -> None:
    data = file_of("2012-01-02", "2014-01-01", (*NEW_YORK, "2013-08-14"))
    _, report = read_series(tmp_path, data)
    assert report.calendar == "Mon-Fri except XNYS"
    assert [(gap.after, gap.missing) for gap in report.gaps] == [("2013-08-13", 1)]


def test_a_shop_is_closed_on_the_holidays_of_its_country(tmp_path: Path) -> None:
    data = file_of("2022-01-01", "2024-01-01", GERMANY, week="1111110")
    _, report = read_series(tmp_path, data)
    assert (report.frequency, report.calendar) == ("C", "Mon-Sat except DE")
    every_day = file_of(
        "2022-01-02",
        "2024-01-01",
        (*GERMANY, "2022-05-01", "2022-12-25", "2023-01-01"),
        week="1111111",
    )
    content, report = read_series(tmp_path, every_day)
    assert (content.frequency, report.calendar) == ("D", "Mon-Sun except DE")
    assert report.gap_count == 0


def test_days_that_are_no_holidays_have_no_calendar(tmp_path: Path) -> None:
    days = np.random.default_rng(1).choice(
        np.arange("2012-01-03", "2013-12-31", dtype="datetime64[D]"), 25, replace=False
    )
    content, report = read_series(
        tmp_path, file_of("2012-01-02", "2014-01-01", tuple(days.astype(str)))
    )
    assert content.calendar is None
    decision = report.decision("calendar")
    assert decision is not None
    assert decision.chosen.endswith("days closed")


def test_rows_on_holidays_speak_against_a_calendar(tmp_path: Path) -> None:
    few = tuple(day for day in NEW_YORK if day[5:7] in {"01", "07", "12"})
    content, _ = read_series(tmp_path, file_of("2012-01-02", "2014-01-01", few))
    assert content.calendar is None or "XNYS" not in content.calendar


def test_read_names_a_market_or_says_that_there_is_none(tmp_path: Path) -> None:
    content, report = read_series(tmp_path, PRICES, calendar="tsx")
    assert report.calendar == "Mon-Fri except XTSE"
    decision = report.decision("calendar")
    assert decision is not None
    assert decision.certainty == "set"
    assert report.gap_count > 0
    content, report = read_series(tmp_path, PRICES, calendar="Mon-Fri except none")
    assert (content.calendar, report.gap_count) == ("Mon-Fri except none", 19)


def test_gaps_that_are_filled_have_no_calendar(tmp_path: Path) -> None:
    content, report = read_series(tmp_path, PRICES, gaps="fill")
    assert (content.calendar, report.gap_count) == (None, 19)
    content, report = read_series(tmp_path, PRICES, gaps="fill", calendar="NYSE")
    assert (report.calendar, report.gap_count) == ("Mon-Fri except XNYS", 0)


def test_months_have_no_closed_days(tmp_path: Path) -> None:
    months = np.arange("2012-01", "2014-01", dtype="datetime64[M]").astype(str)
    data = "month,x\n" + "".join(f"{month}-01,{at}\n" for at, month in enumerate(months))
    with pytest.raises(UnreadableFile, match="the step between rows is MS"):
        read_series(tmp_path, data.encode(), calendar="XNYS")


def test_rows_without_times_have_no_closed_days(tmp_path: Path) -> None:
    data = ("x\n" + "".join(f"{at % 7}\n" for at in range(30))).encode()
    with pytest.raises(UnreadableFile, match="the rows have no times"):
        read_series(tmp_path, data, calendar="XNYS")


def test_an_extended_dataset_has_the_calendar_of_all_its_rows(tmp_path: Path) -> None:
    first, _ = read_series(tmp_path, file_of("2012-01-02", "2013-01-01", NEW_YORK))
    more, report = read_series(tmp_path, file_of("2012-12-20", "2014-01-01", NEW_YORK))
    stored = tmp_path / "first.npz"
    stored.write_bytes(first.to_bytes())
    whole, report = join(stored, more, report, ReadOptions())
    assert (report.calendar, report.gap_count) == ("Mon-Fri except XNYS", 0)
    assert whole.calendar is not None
    assert parse_calendar(whole.calendar).title == "Mon-Fri except XNYS"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("nyse", "XNYS"),
        ("XNYS", "XNYS"),
        ("de", "DE"),
        ("de-by", "DE-BY"),
        ("Mon-Sat except DE-BY", "Mon-Sat except DE-BY"),
        ("Mon-Fri 09:30-16:00 except NYSE", "Mon-Fri 09:30-16:00 except XNYS"),
        ("Mon-Sat", "Mon-Sat"),
        ("Mon-Fri except 2024-12-25,2025-01-01", "Mon-Fri except 2024-12-25, 2025-01-01"),
    ],
)
def test_calendars_have_one_spelling(text: str, canonical: str) -> None:
    assert canonical_calendar(text) == canonical


@pytest.mark.parametrize("text", ["XNIL", "DE-NIL", "Mon-Fri except Narnia", "Funday except DE"])
def test_an_unknown_name_is_refused_with_what_may_be_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a calendar"):
        canonical_calendar(text)


def times(*days: str) -> Times:
    return np.array(days, dtype="datetime64[us]")


def test_trading_hours_keep_their_sessions() -> None:
    dated = dated_calendar(
        "XNYS",
        frequency="30min",
        weekly="Mon-Fri 09:30-16:00",
        times=times("2024-01-02T09:30", "2024-03-01T16:00"),
    )
    assert parse_calendar(dated).title == "Mon-Fri 09:30-16:00 except XNYS"
    with pytest.raises(ValueError, match="write them before it, as in"):
        dated_calendar("XNYS", frequency="h", weekly=None, times=times("2024-01-02", "2024-01-03"))
