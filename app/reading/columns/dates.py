"""Split written dates into their parts; which number is day or month is decided later.

`app.reading.series.date_order` decides that for the whole column.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.reading.arrays import Bools, Bytes, Cells, Floats, Ints, Offsets, Places
from app.reading.columns.calendar_days import (
    DAY_US,
    EXCEL_EPOCH,
    clock_of,
    days_of,
    days_of_part,
    full_years,
    is_buddhist,
    unix_micros,
)
from app.reading.columns.cell_shapes import ShapeGroup, shape_groups
from app.reading.columns.date_patterns import DatePattern, clock_pattern, date_patterns
from app.reading.vocabulary import (
    CLOCK_WORDS,
    MONTH_NUMBERS,
    ORDINALS,
    PERIODS,
    WEEKDAYS,
    ZONE_MINUTES,
)

MINGUO_EPOCH = 1911
ERA_EPOCHS = {"m": 1867, "t": 1911, "s": 1925, "h": 1988, "r": 2018}  # as Japan writes them
PERIOD_YEARS = (1600, 2200)  # of quarters and weeks; others are codes of articles
# The length of the period that a cell names, the longest first.
LEVELS = ("year", "half-year", "quarter", "month", "week", "day")
_DAY, _YEAR = LEVELS.index("day"), LEVELS.index("year")
Form = Literal["date", "month", "week", "ordinal", "decimal", "stamp", "excel", "unix", "year"]


@dataclass(kw_only=True)
class Triples:
    """Cells with three numbers in the same notation: 01/02/2017, or 01-02-03."""

    sign: str  # the signs between the numbers
    formats: dict[str, tuple[int, int]] = field(default_factory=dict)  # in terms of a, b, c
    rows: list[Places] = field(default_factory=list)
    numbers: list[Ints] = field(default_factory=list)  # (cells, 3)


@dataclass(kw_only=True)
class DateCells:
    """What is known of each row's date before the order of day and month is decided."""

    days: Ints  # (rows,) days since 1970; only if `dated`
    clock: Ints  # (rows,) microseconds since midnight
    offsets: Offsets  # (rows,) minutes east of UTC; only if `zoned`
    dated: Bools  # whether the day is known
    open: Bools  # whether it waits for the order of day and month
    zoned: Bools
    timed: Bools  # whether it has a time of day
    levels: npt.NDArray[np.int8]  # (rows,) index into LEVELS; only if dated
    formats: dict[str, tuple[int, int]] = field(default_factory=dict)  # label → (count, first row)
    triples: dict[tuple[str, int], Triples] = field(default_factory=dict)  # by sign and digits
    form: Form | None = None  # of dates that are written as plain numbers
    zone_names: dict[str, int] = field(default_factory=dict)  # unknown zones → number of cells
    known_zones: set[str] = field(default_factory=set)
    other_years: int = 0  # number of cells with a year of the Buddhist calendar
    eras: int = 0  # number of cells with a year of an East Asian era

    @classmethod
    def of_rows(cls, rows: int) -> "DateCells":
        """Return the cells of a column none of which has been read."""
        return cls(
            days=np.zeros(rows, dtype=np.int64),
            clock=np.zeros(rows, dtype=np.int64),
            offsets=np.zeros(rows, dtype=np.int16),
            dated=np.zeros(rows, dtype=bool),
            open=np.zeros(rows, dtype=bool),
            zoned=np.zeros(rows, dtype=bool),
            timed=np.zeros(rows, dtype=bool),
            levels=np.full(rows, _DAY, dtype=np.int8),
        )

    @property
    def readable(self) -> Bools:
        """The rows that contain a date, whatever the order of day and month."""
        both: Bools = self.dated | self.open
        return both


@dataclass(kw_only=True)
class _Group:
    """The cells of one shape, read with one pattern."""

    pattern: DatePattern
    good: Bools
    days: Ints
    clock: Ints
    level: int
    offsets: Offsets | None = None
    years: Ints | None = None  # as written, with four digits
    numbers: Ints | None = None  # of a triple, (cells, 3)


def read_dates(cells: Cells, *, buddhist: bool = True) -> DateCells:
    """Read the cells of a column as dates; other cells stay neither dated nor open.

    Args:
        cells: as in the file.
        buddhist: read years from 2430 to 2650 as those of the Buddhist calendar.
    """
    found = DateCells.of_rows(len(cells))
    for group in shape_groups(cells):
        best: _Group | None = None
        for pattern in date_patterns(group.shape):
            read = _read_group(found, group.text, pattern, buddhist=buddhist)
            if best is None or read.good.sum() > best.good.sum():
                best = read
            if best.good.all():
                break
        if best is not None and best.good.any():
            _keep(found, group, best)
    return found


def read_clocks(cells: Cells) -> tuple[Ints, Bools]:
    """Read a column of times of day: microseconds since midnight, and which rows have one."""
    clock = np.zeros(len(cells), dtype=np.int64)
    known = np.zeros(len(cells), dtype=bool)
    for group in shape_groups(cells):
        pattern = clock_pattern(group.shape)
        if pattern is not None:
            clock[group.rows], known[group.rows] = _clock(group.text, pattern)
    return clock, known


def _read_group(found: DateCells, text: Bytes, pattern: DatePattern, *, buddhist: bool) -> _Group:
    ones = np.ones(len(text), dtype=np.int64)
    group = _Group(pattern=pattern, good=ones == 1, days=ones, clock=ones * 0, level=_DAY)
    if pattern.has("H"):
        group.clock, group.good = _clock(text, pattern)
    if pattern.has("zone"):
        group.offsets, known = _zone(found, text, pattern)
        group.good &= known
    for part, words in (("weekday", WEEKDAYS), ("ordinal", ORDINALS)):
        if pattern.has(part):
            group.good &= np.array([word in words for word in _words(text, pattern, part)])
    if pattern.has("fy"):
        group.good &= np.array([word == "fy" for word in _words(text, pattern, "fy")])
    if pattern.kind == "triple":
        numbers = np.stack([_int(text, pattern, part) for part in "abc"], axis=1)  # (cells, 3)
        group.numbers = numbers
        group.good &= ((numbers[:, :2] <= 31) & (numbers[:, 1:2] >= 1)).all(axis=1)
        return group
    _read_days(group, text, buddhist=buddhist)
    return group


def _keep(found: DateCells, group: ShapeGroup, read: _Group) -> None:
    rows, place, good, pattern = group.rows, group.place, read.good, read.pattern
    found.clock[place] = read.clock
    found.timed[place] = pattern.has("H") or pattern.kind == "unix"
    found.levels[place] = read.level
    if read.offsets is not None:
        found.offsets[place] = read.offsets
    found.zoned[place] = read.offsets is not None or pattern.kind == "unix"
    formats = found.formats
    if read.numbers is not None:
        sign = group.shape[pattern.spans["a"][1]]
        entry = found.triples.setdefault((sign, pattern.digits("c")), Triples(sign=sign))
        entry.rows.append(rows[good])
        entry.numbers.append(read.numbers[good])
        found.open[place] = good
        formats = entry.formats
        found.other_years += int(is_buddhist(read.numbers[good, 2]).sum())
    else:
        found.days[place] = read.days
        found.dated[place] = good
        if read.years is not None:
            found.other_years += int((is_buddhist(read.years) & good).sum())
        found.eras += int(good.sum()) * (pattern.has("era") or pattern.has("minguo"))
    words = _words(group.text[good][:1], pattern, "word") if pattern.has("word") else [""]
    label = pattern.label.replace("word", words[0].upper())
    first = int(rows[int(np.argmax(good))])
    before, at = formats.get(label, (0, first))
    formats[label] = (before + int(good.sum()), min(at, first))


def _read_days(group: _Group, text: Bytes, *, buddhist: bool) -> None:
    """Fill in the days, the clock, and which cells of a shape are dates."""
    pattern, kind = group.pattern, group.pattern.kind
    if kind == "serial":
        serial = _float(text, pattern, "serial")
        days = np.floor(serial).astype(np.int64)
        group.clock = np.rint((serial - days) * DAY_US / 1000).astype(np.int64) * 1000
        group.days = days + EXCEL_EPOCH
        return
    if kind == "unix":
        micros = unix_micros(_float(text, pattern, "unix"))
        group.days, group.clock = micros // DAY_US, micros % DAY_US
        return
    ones = np.ones(len(text), dtype=np.int64)
    years = _years(group, text, buddhist=buddhist)
    if kind == "span":
        second = _int(text, pattern, "y2")
        following = second == (_int(text, pattern, "y") + 1) % 10 ** pattern.digits("y2")
        # 2010-11 on its own is a month, and so it is beside 2010-12.
        is_clear = len(np.unique(years)) > 1 or bool((second > 12).any())
        group.good &= following & (following.all() and is_clear)
        group.days, valid = days_of(years, ones, ones)
        group.level = _YEAR
    elif kind in {"period", "fiscal"}:
        valid = _read_period(group, text, years)
    elif kind == "yearday":
        group.days, valid = days_of_part(years, kind, _int(text, pattern, "n"))
    else:
        months = ones
        if pattern.has("mon"):
            named = [MONTH_NUMBERS.get(word, 0) for word in _words(text, pattern, "mon")]
            months = np.array(named, dtype=np.int64)
        elif pattern.has("m"):
            months = _int(text, pattern, "m")
        day = _int(text, pattern, "d") if pattern.has("d") else ones
        group.days, valid = days_of(years, months, day)
        group.level = LEVELS.index(kind)
    group.good &= valid


def _years(group: _Group, text: Bytes, *, buddhist: bool) -> Ints:
    pattern = group.pattern
    if pattern.has("minguo"):
        return _int(text, pattern, "minguo") + MINGUO_EPOCH
    numbers = _int(text, pattern, "y")
    group.years = numbers if pattern.digits("y") == 4 else None
    if pattern.has("era"):
        epochs = [ERA_EPOCHS.get(word, -10_000) for word in _words(text, pattern, "era")]
        return numbers + np.array(epochs, dtype=np.int64)
    return full_years(numbers, pattern.digits("y"), buddhist=buddhist)


def _read_period(group: _Group, text: Bytes, years: Ints) -> Bools:
    """Read quarters, weeks and similar periods: a word, a number and a year."""
    pattern = group.pattern
    words = set(_words(text, pattern, "word")) if pattern.has("word") else {"fy"}
    parts = {PERIODS.get(word) for word in words}
    part = parts.pop() if len(parts) == 1 and _may_be_period(pattern, words) else None
    number = _int(text, pattern, "n") if pattern.has("n") else np.ones_like(years)
    if words == {"s"} and part is not None and number.max() > 2:  # a semaine, not a semestre
        part = "week"
    if part == "day":
        part = "yearday" if pattern.digits("n") == 3 else None
    has_day = pattern.has("wd")
    if part is None or (has_day and part != "week"):
        return np.zeros(len(text), dtype=bool)
    weekday = _int(text, pattern, "wd") if has_day else None
    group.days, valid = days_of_part(years, part, number, weekday)
    is_day = has_day or part == "yearday"
    group.level = _DAY if is_day else LEVELS.index({"half": "half-year"}.get(part, part))
    return valid & (years >= PERIOD_YEARS[0]) & (years <= PERIOD_YEARS[1])


def _may_be_period(pattern: DatePattern, words: set[str]) -> bool:
    """Return whether it may be a period, not an article's code (S101) or a duration (5 m 10)."""
    if pattern.kind == "fiscal" or pattern.spans["y"][0] < pattern.spans["n"][0]:
        return True
    is_short = pattern.digits("y") == 2
    if pattern.spans["n"][1] == pattern.spans["y"][0]:
        return words <= ({"q"} if is_short else {"q", "h", "s"})
    return not is_short or not words & {"m", "p", "k", "s", "u", "v", "d"}


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
    micros = clock_of(hours, minutes, seconds)
    if pattern.has("F"):
        digits = _int(text, pattern, "F")
        micros = micros + digits * 10**6 // 10 ** pattern.digits("F")
    return micros, good & (micros <= DAY_US)


def _zone(found: DateCells, text: Bytes, pattern: DatePattern) -> tuple[Offsets | None, Bools]:
    """Return minutes east of UTC, or None if the words name no zone."""
    words, place = np.unique(np.array(_words(text, pattern, "zone")), return_inverse=True)
    if set(words.tolist()) <= CLOCK_WORDS:
        return None, np.ones(len(text), dtype=bool)
    minutes = [_zone_minutes(str(word)) for word in words]
    for word, each in zip(words.tolist(), minutes, strict=True):
        found.known_zones |= {word} if each is not None else set()
        if each is None and word.isalpha():
            count = int((words[place] == word).sum())
            found.zone_names[word] = found.zone_names.get(word, 0) + count
    numbers = np.array([each or 0 for each in minutes], dtype=np.int16)
    known = np.array([each is not None for each in minutes])
    return numbers[place], known[place]


def _zone_minutes(word: str) -> int | None:
    name, sign, digits = re.fullmatch(r"([a-z]*)([+-]?)([\d:]*)", word).groups()  # type: ignore[union-attr]
    if name and name not in ZONE_MINUTES:
        return None
    digits = digits.replace(":", "")
    hours, minutes = int(digits[:2] or 0), int(digits[2:] or 0)
    if hours > 15 or minutes > 59:
        return None
    ahead = hours * 60 + minutes
    return ZONE_MINUTES.get(name, 0) + (-ahead if sign == "-" else ahead)


def _digits(text: Bytes) -> Ints:
    # Years and hours fit into 16 bits, in which NumPy is four times as fast.
    size = np.int16 if text.shape[1] <= 4 else np.int64
    number: npt.NDArray[np.signedinteger] = np.zeros(len(text), dtype=size)
    for place in range(text.shape[1]):
        number *= 10
        number += text[:, place] - np.uint8(ord("0"))
    return number.astype(np.int64)


def _int(text: Bytes, pattern: DatePattern, part: str) -> Ints:
    start, stop = pattern.spans[part]
    return _digits(text[:, start:stop])


def _float(text: Bytes, pattern: DatePattern, part: str) -> Floats:
    start, stop = pattern.spans[part]
    return np.ascontiguousarray(text[:, start:stop]).view(f"S{stop - start}").ravel().astype(float)


def _words(text: Bytes, pattern: DatePattern, part: str) -> list[str]:
    start, stop = pattern.spans[part]
    packed = np.ascontiguousarray(text[:, start:stop]).view(f"S{stop - start}").ravel()
    return [word.decode("latin-1").lower() for word in packed.tolist()]
