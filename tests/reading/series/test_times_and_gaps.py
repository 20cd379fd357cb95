"""Test times of day in separate columns, and gaps in regular series."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.reading.content import SeriesContent
from tests.reading.peculiar_files import workbook
from tests.reading.test_peculiar_files import read


@pytest.mark.parametrize(
    ("first", "step", "frequency"),
    [("2020-01-01T12:00", 24, "D"), ("2020-01-01T00:30", 1, "h"), ("2020-01-05T12:00", 168, "W")],
)
def test_steps_halfway_between_two_are_no_gaps(
    tmp_path: Path, first: str, step: int, frequency: str
) -> None:
    start = datetime.fromisoformat(first)
    times = [start + timedelta(hours=step * at) for at in range(40) if at != 20]
    lines = "".join(f"{time.isoformat()},{at}\n" for at, time in enumerate(times))
    report = read(tmp_path, "file.csv", f"time,x\n{lines}".encode()).report
    assert (report.frequency, report.gap_count) == (frequency, 1)
    assert [gap.after for gap in report.gaps] == [times[19].isoformat()]


@pytest.mark.parametrize("day", ["2020-03-28", "2020-10-24"])
def test_a_change_of_clocks_is_no_gap(tmp_path: Path, day: str) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    hours = [start + timedelta(hours=at) for at in range(72)]
    times = [hour.astimezone(ZoneInfo("Europe/Berlin")).isoformat() for hour in hours]
    lines = "".join(f"{time},{at}\n" for at, time in enumerate(times))
    result = read(tmp_path, "file.csv", f"time,x\n{lines}".encode(), gaps="fill")
    assert (result.report.frequency, result.report.gap_count) == ("h", 0)
    assert isinstance(result.content, SeriesContent)
    assert result.content.row_times_iso() == times


def test_a_time_of_day_may_have_dots(tmp_path: Path) -> None:
    start = datetime.fromisoformat("2004-03-10T18:00")
    times = [start + timedelta(minutes=20 * at) for at in range(200)]
    lines = "".join(f"{time:%d/%m/%Y};{time:%H.%M.%S};2,{at}\n" for at, time in enumerate(times))
    content = read(tmp_path, "file.csv", f"Date;Time;CO\n{lines}".encode()).content
    assert isinstance(content, SeriesContent)
    assert content.row_times_iso() == [time.isoformat() for time in times]


@pytest.mark.parametrize("between", [" ", ","])
def test_halves_of_the_day_may_have_dots_and_a_column_of_their_own(
    tmp_path: Path, between: str
) -> None:
    start = datetime.fromisoformat("2017-01-01T09:30")
    times = [start + timedelta(hours=12 * at) for at in range(60)]
    half = {"AM": "a.\u00a0m.", "PM": "p.\u00a0m."}
    lines = "".join(
        f"{time:%d/%m/%Y}{between}{time:%I:%M:%S} {half[f'{time:%p}']},{at}\n"
        for at, time in enumerate(times)
    )
    header = "Fecha,Hora,x" if between == "," else "Fecha,x"
    content = read(tmp_path, "file.csv", f"{header}\n{lines}".encode()).content
    assert isinstance(content, SeriesContent)
    assert content.labels == ("",)
    assert content.row_times_iso() == [time.isoformat() for time in times]


def test_midnight_in_a_spreadsheet_is_no_other_format(tmp_path: Path) -> None:
    times = [datetime.fromisoformat("2020-01-01") + timedelta(hours=at) for at in range(48)]
    rows: list[list[object]] = [["time", "x"], *([time, at] for at, time in enumerate(times))]
    result = read(tmp_path, "file.xlsx", workbook(rows))
    assert isinstance(result.content, SeriesContent)
    assert result.content.row_times_iso() == [time.isoformat() for time in times]
    assert result.report.warnings == []


@pytest.mark.parametrize(
    ("name", "step", "unsaid"),
    [
        ("x", lambda _: 60, True),
        ("created_at", lambda at: 60 + at % 7, False),
        ("Moment", lambda at: 60 + at % 7, False),
    ],
)
def test_unix_times_are_times_by_their_look_or_their_name(
    tmp_path: Path, name: str, step: Callable[[int], int], *, unsaid: bool
) -> None:
    instants = list(accumulate((step(at) for at in range(50)), initial=1_483_228_800))
    lines = "".join(f"{instant},{at % 5}\n" for at, instant in enumerate(instants))
    report = read(tmp_path, "file.csv", f"{name},price\n{lines}".encode()).report
    assert (report.target, report.start) == ("price", "2017-01-01T00:00:00+00:00")
    assert [each.startswith("Doubtful time column") for each in report.warnings] == [True] * unsaid
    values = read(tmp_path, "file.csv", f"{name},price\n{lines}".encode(), date="").report
    assert (values.target_alternatives, values.start) == ([name], None)


def test_large_numbers_that_run_unevenly_stay_values(tmp_path: Path) -> None:
    lines = "".join(f"{1_483_228_800 + at**3},{at % 5}\n" for at in range(50))
    report = read(tmp_path, "file.csv", f"x,price\n{lines}".encode()).report
    assert (report.target_alternatives, report.start) == (["x"], None)


def business_days(*closed: str) -> bytes:
    """Return a file of the business days of 2024 without some of them."""
    every = np.arange("2024-01-01", "2025-01-01", dtype="datetime64[D]")
    kept = every[np.is_busday(every, holidays=np.array(closed, dtype="datetime64[D]"))]
    return b"date,price\n" + b"".join(b"%s,%d\n" % (str(day).encode(), 7) for day in kept)


def test_holidays_are_reported_as_closed_days(tmp_path: Path) -> None:
    report = read(tmp_path, "file.csv", business_days("2024-07-04", "2024-12-25")).report
    decision = report.decision("calendar")
    assert decision is not None
    assert (decision.chosen, decision.runner_up) == ("2 days closed", "missing rows")
    assert (decision.certainty, report.gap_count, report.gaps) == ("sure", 0, [])


def test_many_closed_days_are_doubtful(tmp_path: Path) -> None:
    mondays = np.arange("2024-03-04", "2024-08-01", 7, dtype="datetime64[D]").astype(str)
    report = read(tmp_path, "file.csv", business_days(*mondays)).report
    assert report.gap_count == 0
    assert report.warnings[0].startswith(
        "Doubtful closed days: 22 days closed (no series has a row"
    )
    assert 'set "calendar" to "Mon-Fri except none"' in report.warnings[0]


def test_read_says_that_absent_days_are_missing(tmp_path: Path) -> None:
    data = business_days("2024-07-04", "2024-12-25")
    report = read(tmp_path, "file.csv", data, calendar="Mon-Fri except none").report
    decision = report.decision("calendar")
    assert decision is not None
    assert (report.gap_count, decision.certainty) == (2, "set")


@pytest.mark.parametrize("gaps", ["fill", "zero"])
def test_absent_days_are_written_if_read_says_how(tmp_path: Path, gaps: str) -> None:
    result = read(tmp_path, "file.csv", business_days("2024-07-04"), gaps=gaps)
    assert result.report.gap_count == 1
    assert isinstance(result.content, SeriesContent)
    assert "2024-07-04" in result.content.row_times_iso()
