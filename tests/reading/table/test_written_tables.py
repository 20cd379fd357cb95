"""Test that a table written in any combination of formats reads back the same or is refused."""

import csv
import datetime as dt
import gzip
import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.reading.content import SeriesContent
from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from app.reading.report import UnreadableFile

DATE_FORMATS: dict[str, Callable[[dt.date], str]] = {
    "iso": dt.date.isoformat,
    "us": lambda day: f"{day.month}/{day.day}/{day.year}",
    "us padded": lambda day: day.strftime("%m/%d/%Y"),
    "european": lambda day: day.strftime("%d.%m.%Y"),
    "dashes, day first": lambda day: day.strftime("%d-%m-%Y"),
    "two digits": lambda day: day.strftime("%d/%m/%y"),
    "names": lambda day: day.strftime("%d %b %Y"),
    "names, us": lambda day: day.strftime("%B %d, %Y"),
    "compact": lambda day: day.strftime("%Y%m%d"),
    "excel": lambda day: str((day - dt.date(1899, 12, 30)).days),
    "midnight": lambda day: f"{day} 00:00:00",
}


@dataclass(frozen=True, kw_only=True)
class Writing:
    """A way to write a table."""

    date: str
    delimiter: str
    decimal: str
    thousands: bool
    header: bool
    order: str
    encoding: str
    line_end: str
    missing: str
    index: bool
    trailing: int
    quote_all: bool
    packed: bool


WRITINGS = st.builds(
    Writing,
    date=st.sampled_from(sorted(DATE_FORMATS)),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    thousands=st.booleans(),
    header=st.booleans(),
    order=st.sampled_from(["oldest", "newest", "shuffled"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    missing=st.sampled_from(["", "NA", "-", "null"]),
    index=st.booleans(),
    trailing=st.integers(0, 2),
    quote_all=st.booleans(),
    packed=st.booleans(),
)

PRICES = st.integers(-99_999_999, 99_999_999).map(lambda number: number / 100)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[dt.date], list[list[float | None]]]:
    """Return days and prices; more than a month, so that day and month are distinguishable."""
    start = draw(st.dates(dt.date(1975, 1, 1), dt.date(2030, 1, 1)))
    count = draw(st.integers(32, 60))
    days = [start + dt.timedelta(days=at) for at in range(count)]
    width = draw(st.integers(1, 3))
    generator = random.Random(draw(st.integers(0, 2**32)))
    whole = draw(st.booleans())
    rows: list[list[float | None]] = []
    for _ in days:
        row: list[float | None] = [
            float(generator.randint(-(10**7), 10**7))
            if whole
            else generator.randint(-(10**9), 10**9) / 100
            for _ in range(width)
        ]
        if width > 1 and generator.random() < 0.1:
            row[generator.randrange(width)] = None
        rows.append(row)
    # A number that leaves no doubt about the decimal sign.
    rows[0][0] = -1234.5
    return days, rows


def number(value: float | None, how: Writing) -> str:
    if value is None:
        return how.missing
    text = f"{value:,.2f}" if how.thousands else f"{value:.2f}"
    return text if how.decimal == "." else text.translate(str.maketrans(",.", ".,"))


def written(days: list[dt.date], rows: list[list[float | None]], how: Writing) -> bytes:
    places = list(range(len(days)))
    if how.order == "newest":
        places.reverse()
    elif how.order == "shuffled":
        random.Random(len(days)).shuffle(places)
    lines = [
        [DATE_FORMATS[how.date](days[at]), *(number(value, how) for value in rows[at])]
        for at in places
    ]
    if how.header:
        lines.insert(0, ["Date", *(f"Größe {at}" for at in range(len(rows[0])))])
    if how.index:
        lines = [
            ["" if how.header and at == 0 else str(at - how.header), *line]
            for at, line in enumerate(lines)
        ]
    lines = [[*line, *[""] * how.trailing] for line in lines]
    buffer = io.StringIO()
    csv.writer(
        buffer,
        delimiter=how.delimiter,
        lineterminator=how.line_end,
        quoting=csv.QUOTE_ALL if how.quote_all else csv.QUOTE_MINIMAL,
    ).writerows(lines)
    data = buffer.getvalue().encode(how.encoding)
    return gzip.compress(data, mtime=0) if how.packed else data


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(table=tables(), how=WRITINGS)
def test_a_table_reads_back_the_same(
    tmp_path: Path, table: tuple[list[dt.date], list[list[float | None]]], how: Writing
) -> None:
    days, rows = table
    path = tmp_path / "file"
    path.write_bytes(written(days, rows, how))
    content = read_file(path, "file.csv", ReadOptions()).content
    assert isinstance(content, SeriesContent)
    assert [time[:10] for time in content.row_times_iso()] == [day.isoformat() for day in days]
    expected = np.array([[np.nan if cell is None else cell for cell in row] for row in rows])
    np.testing.assert_array_equal(content.values, np.round(expected, 2))
    assert content.frequency == "D"


SNIPPETS = st.sampled_from(
    [
        *("2017-01-03", "1/3/2012", "30.12.2016", "Jan 1 2000", "1949-01", "2004Q3", "40911.00"),
        *("1,657,300", "325,25", "-1.5e3", "$5", "7 %", "NA", "inf", "1e400", "٣", "—", "9" * 400),
        *(",", ";", "\t", "|", '"', '""', "'", "\n", "\r\n", "\r", "\x1a", "#", "sep=;", "\ufeff"),
        *("Date", "Open", "Total", "long ago , the mice", "é", "\u2028", "0" * 30, "=1+1", "Z"),
    ]
)
BYTES = st.one_of(
    st.binary(max_size=300),
    st.lists(SNIPPETS, max_size=60).map(lambda parts: "".join(parts).encode()),
    st.lists(SNIPPETS, max_size=60).map(lambda parts: ",".join(parts).encode("utf-16")),
    st.lists(st.lists(SNIPPETS, min_size=2, max_size=4), max_size=30).map(
        lambda rows: "\n".join(",".join(row) for row in rows).encode()
    ),
    st.binary(max_size=200).map(lambda data: b"\x1f\x8b\x08" + data),
    st.binary(max_size=200).map(lambda data: b"PK\x03\x04" + data),
    st.binary(max_size=200).map(lambda data: b"PAR1" + data + b"PAR1"),
    st.binary(max_size=200).map(gzip.compress),
)
OPTIONS = st.builds(
    ReadOptions,
    kind=st.sampled_from([None, None, "series", "text"]),
    date=st.sampled_from([None, None, "", "Date"]),
    date_order=st.sampled_from([None, "ymd", "mdy", "dmy"]),
    decimal=st.sampled_from([None, ".", ","]),
    delimiter=st.sampled_from([None, None, ",", ";", " "]),
    encoding=st.sampled_from([None, None, None, "utf-8", "utf-16", "latin-1", "rot13", "idna"]),
    header=st.sampled_from([None, True, False]),
    layout=st.sampled_from([None, None, "table", "series_per_column", "series_per_row"]),
    frequency=st.sampled_from([None, None, "D", "B", "MS", "15min", "ms"]),
    duplicates=st.sampled_from([None, "last", "sum", "mean"]),
    gaps=st.sampled_from([None, "leave", "fill", "zero", "error"]),
)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(data=BYTES, options=OPTIONS, name=st.sampled_from(["a.csv", "b.txt", "c"]))
def test_any_bytes_are_read_or_refused(
    tmp_path: Path, data: bytes, options: ReadOptions, name: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    try:
        content = read_file(path, name, options).content
    except UnreadableFile as error:
        assert error.detail  # noqa: PT017  either outcome is right
        return
    if isinstance(content, SeriesContent):
        assert np.isfinite(content.values).any(axis=1).all() or options.gaps == "fill"


@pytest.mark.parametrize("size", [1, 10, 100, 1000])
def test_a_broken_file_is_no_more_than_refused(tmp_path: Path, size: int) -> None:
    """Bytes knocked out of a good file leave one that is read or refused."""
    generator = random.Random(size)
    data = bytearray(b"Date,Open\n" + b"".join(b"1/%d/2012,3%d.5\n" % (d, d) for d in range(1, 29)))
    for _ in range(min(size, 200)):
        data[generator.randrange(len(data))] = generator.randrange(256)
    path = tmp_path / "file"
    path.write_bytes(bytes(data))
    try:
        read_file(path, "file.csv", ReadOptions())
    except UnreadableFile as error:
        assert error.errors  # noqa: PT017  either outcome is right
