"""Test that a table in any dialect, order and date form is read as meant, or doubted by name."""

import csv
import datetime as dt
import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.reading.content import SeriesContent
from app.reading.read_options import ReadOptions
from app.reading.reader import ReadResult, read_file

Writer = Callable[[dt.datetime], str]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

DAYS: dict[str, Writer] = {
    "iso": lambda time: f"{time:%Y-%m-%d}",
    "us": lambda time: f"{time.month}/{time.day}/{time.year}",
    "european": lambda time: f"{time:%d.%m.%Y}",
    "slashes": lambda time: f"{time:%d/%m/%Y}",
    "two digits": lambda time: f"{time:%d/%m/%y}",
    "names": lambda time: f"{time:%d %b %Y}",
    "compact": lambda time: f"{time:%Y%m%d}",
    "kanji": lambda time: f"{time.year}年{time.month}月{time.day}日",
    "partition": lambda time: f"dt={time:%Y-%m-%d}",
    "with weekday": lambda time: f"{time:%a, %d %b %Y}",
    "interval": lambda time: f"{time:%d.%m.%Y} - {time + dt.timedelta(days=1):%d.%m.%Y}",
}
HOURS: dict[str, Writer] = {
    "iso": lambda time: time.isoformat(),
    "zoned": lambda time: f"{time.isoformat()}+02:00",
    "CET": lambda time: f"{time} CET",
    "us": lambda time: f"{time.month}/{time.day}/{time.year} {time:%I:%M %p}",
    "european": lambda time: f"{time:%d.%m.%Y %H:%M}",
    "interval": lambda time: (
        f"{time:%d.%m.%Y %H:%M} - {time + dt.timedelta(hours=1):%d.%m.%Y %H:%M}"
    ),
    "ctime": lambda time: f"{time:%a %b %d %H:%M:%S %Y}",
}
PERIODS: dict[str, dict[str, Writer]] = {
    "MS": {
        "iso": lambda time: f"{time:%Y-%m}",
        "first day": lambda time: f"{time:%d/%m/%Y}",
        "name": lambda time: f"{time:%b %Y}",
        "M01": lambda time: f"{time.year}M{time.month:02d}",
        "kanji": lambda time: f"{time.year}年{time.month}月",
        "us": lambda time: f"{time.month}/1/{time.year}",
    },
    "QS": {
        "2019Q3": lambda time: f"{time.year}Q{time.month // 3 + 1}",
        "Q3 2019": lambda time: f"Q{time.month // 3 + 1} {time.year}",
        "first day": lambda time: f"{time:%m/%d/%Y}",
        "FY": lambda time: f"FY{time:%y}-Q{time.month // 3 + 1}",
    },
    "D": DAYS,
    "B": DAYS,
    "W": DAYS | {"week": lambda time: "W{1:02d}-{0}".format(*time.isocalendar())},
    "Mon-Sat": DAYS,
    "h": HOURS,
    "15min": HOURS,
}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What the file is meant to say."""

    step: str
    times: list[dt.datetime]
    labels: list[str]
    values: dict[str, list[float | None]]  # by label: a value, or none, for each time


def times_of(step: str, start: dt.date, count: int) -> list[dt.datetime]:
    day = dt.datetime.combine(start, dt.time())
    monday = day - dt.timedelta(days=day.weekday())
    if step in {"MS", "QS"}:
        size = 3 if step == "QS" else 1
        months = range(0, count * size, size)
        return [dt.datetime(day.year + at // 12, at % 12 + 1, 1) for at in months]  # noqa: DTZ001
    if step in {"h", "15min"}:
        minutes = 60 if step == "h" else 15
        return [monday + dt.timedelta(minutes=minutes * at) for at in range(count)]
    open_days = {"B": 5, "Mon-Sat": 6}.get(step, 7)
    every = (monday + dt.timedelta(days=at * (7 if step == "W" else 1)) for at in range(count * 2))
    return [time for time in every if time.weekday() < open_days][:count]


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    step = draw(st.sampled_from(sorted(PERIODS)))
    times = times_of(
        step, draw(st.dates(dt.date(1985, 1, 1), dt.date(2028, 1, 1))), draw(st.integers(48, 90))
    )
    labels = draw(st.sampled_from([[""], [""], ["Oslo", "Bergen"], ["A1", "A2", "B7"]]))
    generator = random.Random(draw(st.integers(0, 2**32)))
    decimals = draw(st.sampled_from([0, 2]))
    gaps = draw(st.sampled_from([0.0, 0.05]))
    values: dict[str, list[float | None]] = {}
    for place, label in enumerate(labels):
        level = 10 ** draw(st.integers(2, 6)) * (place + 1)
        row = [round(level * generator.uniform(0.5, 1.5), decimals) for _ in times]
        values[label] = [
            None if 2 < at < len(row) - 2 and generator.random() < gaps else value
            for at, value in enumerate(row)
        ]
    return Truth(step=step, times=times, labels=labels, values=values)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """A way to write it."""

    layout: str
    order: str
    delimiter: str
    decimal: str
    thousands: bool
    unit: str
    missing: str
    form: int
    encoding: str


DIALECTS = st.builds(
    Dialect,
    layout=st.sampled_from(["long", "long", "holes left out", "wide"]),
    order=st.sampled_from(["oldest", "newest", "shuffled"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    thousands=st.booleans(),
    unit=st.sampled_from(["", "", " kWh", " €", "p"]),
    missing=st.sampled_from(["", "NA", ":", "-", "n.a.", ".."]),
    form=st.integers(0, 20),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)


def number(value: float | None, how: Dialect, at: int) -> str:
    if value is None:
        return how.missing
    decimals = 0 if value == int(value) else 2
    text = f"{value:,.{decimals}f}" if how.thousands else f"{value:.{decimals}f}"
    text = text if how.decimal == "." else text.translate(str.maketrans(",.", ".,"))
    flagged = how.unit != "p" or at % 5 == 0
    return text + (how.unit if flagged else "")


def written(truth: Truth, how: Dialect) -> bytes:
    forms = PERIODS[truth.step]
    write = forms[sorted(forms)[how.form % len(forms)]]
    places = list(range(len(truth.times)))
    if how.order == "newest":
        places.reverse()
    elif how.order == "shuffled":
        random.Random(how.form).shuffle(places)
    named = truth.labels != [""]
    if how.layout == "wide" and named:
        table = [["Station", *(write(time) for time in truth.times)]]
        table += [
            [label, *(number(value, how, at) for at, value in enumerate(truth.values[label]))]
            for label in truth.labels
        ]
    else:
        table = [["Date", *(["Station"] if named else []), "Value"]]
        for label in truth.labels:
            for at in places:
                value = truth.values[label][at]
                if value is not None or how.layout == "long":
                    cells = [
                        write(truth.times[at]),
                        *([label] if named else []),
                        number(value, how, at),
                    ]
                    table.append(cells)
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=how.delimiter, lineterminator="\n").writerows(table)
    return buffer.getvalue().encode(how.encoding)


def says(result: ReadResult, truth: Truth) -> bool:
    content = result.content
    if not isinstance(content, SeriesContent) or content.times is None:
        return False
    if sorted(content.labels) != sorted(truth.labels):
        return False
    for label in truth.labels:
        part = content.of_series(label)
        known = [
            (time, value)
            for time, value in zip(truth.times, truth.values[label], strict=True)
            if value is not None
        ]
        if part.times is None or len(part) != len(known):
            return False
        times = [np.datetime64(time, "us") for time, _ in known]
        if not bool((part.times == np.array(times)).all()):
            return False
        if not np.array_equal(part.values[:, 0], np.array([value for _, value in known])):
            return False
    return True


@settings(
    max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(truth=truths(), how=DIALECTS)
def test_a_file_is_read_as_meant_or_doubted_by_name(
    tmp_path: Path, truth: Truth, how: Dialect
) -> None:
    path = tmp_path / "file"
    path.write_bytes(written(truth, how))
    result = read_file(path, "file.csv", ReadOptions())
    first = next(iter(result.report.warnings), "")
    assert says(result, truth) or first.startswith("Doubtful "), first
