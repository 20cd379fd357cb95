"""A column of written dates, taken apart; which number is day or month is left open here.

`app.reading.columns.date_order` settles that over the whole column.
"""

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.reading.columns.cell_shapes import Bytes, Cells, ShapeGroup, shape_groups
from app.reading.columns.date_patterns import (
    MONTH_NUMBERS,
    ORDINALS,
    UTC_NAMES,
    WEEKDAYS,
    DatePattern,
    clock_pattern,
    date_pattern,
)

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DAY_US = 86_400_000_000
EXCEL_EPOCH = np.datetime64("1899-12-30", "D").astype(np.int64)  # of its "1900" system
PIVOT = 69  # two-digit years: 69 to 99 are 19xx, 00 to 68 are 20xx, as in POSIX


@dataclass(kw_only=True)
class Triples:
    """The cells whose three numbers are alike written: 01/02/2017, or 01-02-03."""

    sign: str  # what stands between them
    formats: dict[str, tuple[int, int]] = field(default_factory=dict)  # with a, b, c for them
    rows: list[npt.NDArray[np.intp]] = field(default_factory=list)
    numbers: list[Ints] = field(default_factory=list)  # (cells, 3)


@dataclass(kw_only=True)
class DateCells:
    """What is known of each row's date before the order of day and month is."""

    days: Ints  # (rows,) days since 1970; only where `dated`
    clock: Ints  # (rows,) microseconds since midnight
    offsets: npt.NDArray[np.int16]  # (rows,) minutes east of UTC; only where `zoned`
    dated: Bools  # the day is known
    open: Bools  # waits for the order of day and month
    zoned: Bools
    timed: Bools  # written with a time of day
    formats: dict[str, tuple[int, int]]  # label → (count, first row)
    kinds: dict[str, int]  # day, triple, month, quarter, week, year, serial, unix → count
    triples: dict[tuple[str, int], Triples]  # by sign and digits of the last number

    @property
    def readable(self) -> Bools:
        """The rows that hold a date, whatever the order turns out to be."""
        both: Bools = self.dated | self.open
        return both


def read_dates(cells: Cells) -> DateCells:
    """Takes the cells of a column apart as dates; what is none stays neither dated nor open."""
    rows = len(cells)
    found = DateCells(
        days=np.zeros(rows, dtype=np.int64),
        clock=np.zeros(rows, dtype=np.int64),
        offsets=np.zeros(rows, dtype=np.int16),
        dated=np.zeros(rows, dtype=bool),
        open=np.zeros(rows, dtype=bool),
        zoned=np.zeros(rows, dtype=bool),
        timed=np.zeros(rows, dtype=bool),
        formats={},
        kinds={},
        triples={},
    )
    for group in shape_groups(cells):
        pattern = date_pattern(group.shape)
        if pattern is not None:
            _read_group(found, group, pattern)
    return found


def read_clocks(cells: Cells) -> tuple[Ints, Bools]:
    """Reads a column of times of day: microseconds since midnight, and where there is one."""
    clock = np.zeros(len(cells), dtype=np.int64)
    known = np.zeros(len(cells), dtype=bool)
    for group in shape_groups(cells):
        pattern = clock_pattern(group.shape)
        if pattern is not None:
            clock[group.rows], known[group.rows] = _clock(group.text, pattern)
    return clock, known


def days_of(years: Ints, months: Ints, days: Ints) -> tuple[Ints, Bools]:
    """Days since 1970 of calendar dates, and which of the dates exist."""
    valid = (months >= 1) & (months <= 12) & (years >= 1000)
    index = np.where(valid, (years - 1970) * 12 + months - 1, 0)
    first = int(index.min(initial=0))
    starts = np.arange(first, int(index.max(initial=0)) + 2).astype("datetime64[M]")
    start_days = starts.astype("datetime64[D]").astype(np.int64)  # of every month of the span
    begin = start_days[index - first]
    valid &= (days >= 1) & (days <= start_days[index - first + 1] - begin)
    return begin + days - 1, valid


def full_years(numbers: Ints, digits: int) -> Ints:
    """Two-digit years with their century; longer ones as they are."""
    if digits > 2:
        return numbers
    return np.where(numbers < PIVOT, numbers + 2000, numbers + 1900)


def _read_group(found: DateCells, group: ShapeGroup, pattern: DatePattern) -> None:
    text, kind = group.text, pattern.kind
    good = np.ones(len(text), dtype=bool)
    clock = np.zeros(len(text), dtype=np.int64)
    if pattern.has("H"):
        clock, good = _clock(text, pattern)
    if pattern.has("zone"):
        minutes, known = _zone(text, pattern)
        found.offsets[group.rows] = minutes
        found.zoned[group.rows] = True
        good &= known
    for part, words in (("weekday", WEEKDAYS), ("ordinal", ORDINALS)):
        if pattern.has(part):
            good &= np.array([word in words for word in _words(text, pattern, part)])
    if kind != "triple":
        days, extra, known, kind = _days(text, pattern)
        good &= known
        found.days[group.rows] = days
        clock = clock + extra
        found.dated[group.rows] = good
        if kind == "unix":
            found.zoned[group.rows] = True
    found.clock[group.rows] = clock
    found.timed[group.rows] = pattern.has("H") or kind == "unix"
    if good.any():
        formats = found.formats
        label = pattern.label.replace("letter", "Q" if kind == "quarter" else kind[0].upper())
        if kind == "triple":
            formats = _keep_triple(found, group, pattern, good).formats
        first = int(group.rows[int(np.argmax(good))])
        before, at = formats.get(label, (0, first))
        formats[label] = (before + int(good.sum()), min(at, first))
        found.kinds[kind] = found.kinds.get(kind, 0) + int(good.sum())


def _keep_triple(found: DateCells, group: ShapeGroup, pattern: DatePattern, good: Bools) -> Triples:
    digits = pattern.spans["c"][1] - pattern.spans["c"][0]
    sign = group.shape[pattern.spans["a"][1]]
    numbers = np.stack([_int(group.text, pattern, part) for part in "abc"], axis=1)  # (cells, 3)
    entry = found.triples.setdefault((sign, digits), Triples(sign=sign))
    entry.rows.append(group.rows[good])
    entry.numbers.append(numbers[good])
    found.open[group.rows] = good
    return entry


def _days(text: Bytes, pattern: DatePattern) -> tuple[Ints, Ints | int, Bools, str]:
    """Days since 1970, microseconds to add, which cells are dates, and what they resolve."""
    kind = pattern.kind
    everywhere = np.ones(len(text), dtype=bool)
    if kind == "serial":
        serial = _float(text, pattern, "serial")
        days = np.floor(serial).astype(np.int64)
        micros = np.rint((serial - days) * DAY_US / 1000).astype(np.int64) * 1000
        return days + EXCEL_EPOCH, micros, everywhere, kind
    if kind == "unix":
        micros = unix_micros(_float(text, pattern, "unix"))
        return micros // DAY_US, micros % DAY_US, everywhere, kind
    start, stop = pattern.spans["y"]
    years = full_years(_int(text, pattern, "y"), stop - start)
    if kind in {"letter", "week"}:
        return _lettered(text, pattern, years)
    months = np.ones(len(text), dtype=np.int64)
    if pattern.has("mon"):
        months = np.array(
            [MONTH_NUMBERS.get(word, 0) for word in _words(text, pattern, "mon")], dtype=np.int64
        )
    elif pattern.has("m"):
        months = _int(text, pattern, "m")
    day = _int(text, pattern, "d") if pattern.has("d") else np.ones(len(text), dtype=np.int64)
    days, valid = days_of(years, months, day)
    return days, 0, valid, kind


def _lettered(
    text: Bytes, pattern: DatePattern, years: Ints
) -> tuple[Ints, Ints | int, Bools, str]:
    letters = dict.fromkeys(_words(text, pattern, "letter"))
    letter = next(iter(letters)) if len(letters) == 1 else ""
    number = _int(text, pattern, "n")
    ones = np.ones(len(text), dtype=np.int64)
    if letter == "q" or (letter == "h" and pattern.kind == "letter"):
        months_each, most = (3, 4) if letter == "q" else (6, 2)
        days, valid = days_of(years, (number - 1) * months_each + 1, ones)
        return days, 0, valid & (number <= most), "quarter" if letter == "q" else "half-year"
    if letter == "m" and pattern.kind == "letter":
        days, valid = days_of(years, number, ones)
        return days, 0, valid, "month"
    if letter in {"w", "k"}:
        weekday = _int(text, pattern, "wd") if pattern.has("wd") else ones
        fourth, _ = days_of(years, ones, ones * 4)  # 4 January is always in ISO week 1
        monday = fourth - (fourth + 3) % 7
        valid = (number >= 1) & (number <= 53) & (weekday >= 1) & (weekday <= 7)
        return monday + (number - 1) * 7 + weekday - 1, 0, valid & (letter == "w"), "week"
    return ones, 0, np.zeros(len(text), dtype=bool), pattern.kind


def unix_micros(numbers: npt.NDArray[np.float64]) -> Ints:
    """Microseconds since 1970 of a Unix time in s, ms, µs or ns, told apart by their size."""
    size = np.abs(numbers)
    factor = np.select([size < 1e11, size < 1e14, size < 1e17], [1e6, 1e3, 1.0], default=1e-3)
    micros: Ints = np.rint(numbers * factor).astype(np.int64)
    return micros


def _clock(text: Bytes, pattern: DatePattern) -> tuple[Ints, Bools]:
    hours = _int(text, pattern, "H")
    minutes, seconds = (
        _int(text, pattern, part) if pattern.has(part) else np.zeros(len(text), dtype=np.int64)
        for part in ("M", "S")
    )
    good = (hours <= 24) & (minutes < 60) & (seconds < 61)
    if pattern.has("AP"):
        words = np.array([re.sub("[. ]", "", word) for word in _words(text, pattern, "AP")])
        good &= (hours >= 1) & (hours <= 12) & ((words == "am") | (words == "pm"))
        hours = hours % 12 + np.where(words == "pm", 12, 0)
    micros = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000
    if pattern.has("F"):
        start, stop = pattern.spans["F"]
        digits = _int(text, pattern, "F")
        micros = micros + digits * 10**6 // 10 ** (stop - start)
    return micros, good & (micros <= DAY_US)


def _zone(text: Bytes, pattern: DatePattern) -> tuple[npt.NDArray[np.int16], Bools]:
    start, stop = pattern.spans["zone"]
    if chr(text[0, start]) not in "+-":
        known = np.array([word in UTC_NAMES for word in _words(text, pattern, "zone")])
        return np.zeros(len(text), dtype=np.int16), known
    sign = np.where(text[:, start] == ord("-"), -1, 1)
    hours = _digits(text[:, start + 1 : start + 3])
    minutes = _digits(text[:, stop - 2 : stop]) if stop - start > 3 else hours * 0
    good = (hours <= 15) & (minutes < 60)
    return (sign * (hours * 60 + minutes)).astype(np.int16), good


def _digits(text: Bytes) -> Ints:
    number = np.zeros(len(text), dtype=np.int64)
    for place in range(text.shape[1]):
        number = number * 10 + (text[:, place].astype(np.int64) - ord("0"))
    return number


def _int(text: Bytes, pattern: DatePattern, part: str) -> Ints:
    start, stop = pattern.spans[part]
    return _digits(text[:, start:stop])


def _float(text: Bytes, pattern: DatePattern, part: str) -> npt.NDArray[np.float64]:
    start, stop = pattern.spans[part]
    return np.ascontiguousarray(text[:, start:stop]).view(f"S{stop - start}").ravel().astype(float)


def _words(text: Bytes, pattern: DatePattern, part: str) -> list[str]:
    start, stop = pattern.spans[part]
    packed = np.ascontiguousarray(text[:, start:stop]).view(f"S{stop - start}").ravel()
    return [word.decode("latin-1").lower() for word in packed.tolist()]
