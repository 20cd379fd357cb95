"""Choose the times of the rows among all columns, and parts of times, that may contain them."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from app.reading.arrays import Ints
from app.reading.columns.calendar_days import DAY_US
from app.reading.columns.column_types import ReadColumn, ReadTable, counts_rows
from app.reading.columns.numeric_dates import ticks_like_unix_time
from app.reading.decisions import Candidate, Cell, Rule, settled, weigh
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem
from app.reading.series.date_parts import add_clock, holds_clock, join_parts
from app.reading.series.series_column import count_repeats, find_labels
from app.reading.series.time_column import FoundTimes, as_steps, read_times
from app.reading.vocabulary import (
    END_WORDS,
    MONTH_NUMBERS,
    START_WORDS,
    STEP_TEXTS,
    STEP_WORDS,
    sounds_like_time,
    words_of,
)

_STEP_TEXT = re.compile(r"([^\W\d]+)[ _.-]?(\d+)")  # Week 12
_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|2[01])\d\d(?!\d)")
_ORDER_SAMPLE = 1_000
_STEP_SAMPLE = 10_000
_MOST_UNNAMED = 2  # number of first columns in which numbers may be times under any name


def date_rows(table: ReadTable) -> FoundTimes | None:
    """Find the times of the rows, with a time of day beside repeated dates, or their steps."""
    times = find_times(table)
    if table.options.date is not None:
        return times
    if times is None:
        return _steps(table)
    if times.form == "date" and count_repeats(times.instants()[times.known]):
        others = table.without(times.columns)
        keys = [column for column in others.columns if not holds_clock(column)]
        if not find_labels(table.of(keys), times).columns:
            return add_clock(times, table)
    return times


def find_times(table: ReadTable) -> FoundTimes | None:
    """Find and read the columns with the times, or return None if the file has none.

    Raises:
        FileProblem: a column that `read` names is not there or holds no times, or times with and
            without a zone are mixed.
    """
    if table.options.date == "":
        return None
    if table.options.date is not None:
        return _told(table, table.options.date)
    candidates = []
    for place, column in enumerate(table.columns):
        found = read_times(column, table) if _may_hold_times(column, place) else None
        if found is not None:
            first = table.cell(column, int(np.argmax(found.known)))
            candidates.append(_candidate(found, column, place, first))
    parts = join_parts(table)
    if parts is not None:
        named = sum(not column.unnamed for column in table.columns if column.name in parts.columns)
        name, rules = ", ".join(parts.columns), [(3.0 + 0.5 * named, parts.reason)]
        most = max((entry.value.distinct for entry in candidates), default=0)
        if most > parts.distinct:
            rules.append((-5.0, "another column distinguishes more times"))
        candidates.append(Candidate(parts, name, {"date": ",".join(parts.columns)}, rules))
    if not candidates:
        return None
    candidates = _distinct(candidates)
    best = candidates[0]
    if best.value.is_guess:
        unsaid = (
            best.score - 0.5,
            "its name does not suggest a time, and its numbers may be values",
        )
        candidates = [best, Candidate(best.value, "no times", {"date": ""}, [unsaid])]
    best.value.decisions.insert(0, weigh("date", candidates)[1])
    return best.value


def unread_times(table: ReadTable) -> tuple[ReadColumn, Cell] | None:
    """Return a column that looks like times but cannot be read, with its first cell."""
    for column in table.columns:
        is_number = column.type == "number"
        if is_number and (len(words_of(column.name)) != 1 or counts_rows(column)):
            continue
        if column.type not in {"label", "text", "date", "time", "number"}:
            continue
        place = next((at for at, cell in enumerate(column.source.texts()[:20]) if cell), None)
        text = "" if place is None else column.text(place)
        words = {word.lower() for word in re.findall(r"[^\W\d_]{3,}", text)}
        dated = column.type in {"date", "time"} or (bool(_YEAR.search(text)) and not is_number)
        dated = dated or not words.isdisjoint(MONTH_NUMBERS)
        is_like = any(sign.isdigit() for sign in text) and (dated or sounds_like_time(column.name))
        if place is not None and is_like:
            return column, table.cell(column, place)
    return None


def correct_midnights(found: FoundTimes, options: ReadOptions, rows: Ints) -> None:
    """Move midnights that follow 23:00 under the same date to the next day."""
    if found.form not in {"local", "zoned"} or len(found.times) < 2 or options.hours == "start":
        return
    micros = found.times.astype(np.int64)
    steps = np.abs(np.diff(micros))
    usual = int(np.median(steps[:_STEP_SAMPLE]))
    back = np.flatnonzero(steps > usual)
    back = back[found.known[back + 1] & (micros[back + 1] % DAY_US == 0)]
    if len(back) < 2 or not 0 < usual < DAY_US:
        return
    midnight = found.known & (micros % DAY_US == 0)
    moved = np.where(midnight, micros + DAY_US, micros)
    fitting = np.abs(np.diff(moved)) == usual
    better = (fitting.mean() - (steps == usual).mean()) > 0.5 * usual / DAY_US
    if not better or fitting[back].mean() < 0.9:
        return
    text = str(found.times[back[0] + 1].astype("datetime64[m]")).replace("T", " ")
    cell = Cell(row=int(rows[back[0] + 1]), column=found.columns[0], text=text)
    ends = (1.5, f"{int(midnight.sum())} midnights follow the end of their own date", [cell])
    candidates = [
        Candidate(1, "midnight as the end of its day", {"hours": "end"}, [ends]),
        Candidate(0, "midnight as written", {"hours": "start"}, [(1.0, "a date begins there")]),
    ]
    told = options.hours is not None
    decision = weigh("hours", candidates)[1]
    found.decisions.append(
        settled("hours", candidates[0].name, "", told=True) if told else decision
    )
    found.times = moved.astype("datetime64[us]")


def _told(table: ReadTable, date: str | list[str]) -> FoundTimes:
    named = table.named(date, "date")
    found = read_times(named[0], table, told=True)
    if len(named) > 1:
        if found is not None and found.form == "date" and not _is_year(found):
            found = add_clock(found, table.of(named[1:]), needed=False)
        if found is None or len(found.columns) < len(named):
            found = join_parts(table.of(named))
        found = found if found is not None and len(found.columns) == len(named) else None
    elif found is None:
        numbers = named[0].numbers
        counted = None if numbers is None else as_steps(numbers, named[0].name, table.rows)
        found = counted or _written_steps(named[0], table.rows)
    if found is None:
        message = _unreadable(named, table.rows)
        raise FileProblem(message, field="read.date", column=named[0].name)
    others = [entry for entry in found.decisions if entry.about != "date"]
    found.decisions = [settled("date", ", ".join(found.columns), "", told=True), *others]
    return found


def _unreadable(named: list[ReadColumn], rows: Ints) -> str:
    if len(named) > 1:
        names = ", ".join(column.name for column in named)
        return f"the columns {names} do not form times"
    texts = named[0].source.texts()
    place = next((at for at, cell in enumerate(texts) if cell), None)
    first = "" if place is None else f"; its first cell is {texts[place]!r} in row {rows[place]}"
    return (
        f"column {named[0].name!r} holds no dates or times{first}. Write them as in 2017-01-03 or "
        "2017-01-03 09:30"
    )


def _may_hold_times(column: ReadColumn, place: int) -> bool:
    if column.type != "number" or column.numbers is None:
        return column.type == "date"
    is_unnamed = column.unnamed and not counts_rows(column)
    return sounds_like_time(column.name) or (
        place < _MOST_UNNAMED and (is_unnamed or ticks_like_unix_time(column.numbers))
    )


def _candidate(
    found: FoundTimes, column: ReadColumn, place: int, first: Cell
) -> Candidate[FoundTimes]:
    words, is_number = set(words_of(column.name)), column.numbers is not None
    sample = found.times[found.known][:_ORDER_SAMPLE]
    rules = [
        (not is_number, 3.0, "its cells are written as dates"),
        (is_number, 1.5, found.reason),
        (sounds_like_time(column.name), 1.0, "its name says so"),
        (bool(words & START_WORDS), 0.3, "its name suggests a start"),
        (bool(words & END_WORDS), -1.5, "its name suggests an end or an update"),
        (len(sample) > 1 and bool((sample == sample[0]).all()), -4.0, "it is the same in all rows"),
        (_is_year(found), -0.5, "it holds years alone"),
        (True, -0.01 * place, "of its place"),
    ]
    holding: list[Rule] = [(points, reason) for holds, points, reason in rules if holds]
    holding[0] = (*holding[0][:2], [first])
    return Candidate(found, f"column {column.name!r}", {"date": column.name}, holding)


def _is_year(found: FoundTimes) -> bool:
    return any(entry.format == "yyyy" for entry in found.formats)


def _distinct(candidates: list[Candidate[FoundTimes]]) -> list[Candidate[FoundTimes]]:
    """Drop candidates that say the same as the best one, or the same less exactly."""
    first, *others = sorted(candidates, key=lambda entry: -entry.score)
    best = first.value.instants()
    kept = [first]
    for entry in others:
        instants, both = entry.value.instants(), entry.value.known & first.value.known
        same = (instants == best) | (instants // DAY_US == best // DAY_US)
        fewer = len(np.unique(instants[both])) < len(np.unique(best[both]))
        kept += [] if fewer or bool(same[both].all()) else [entry]
    return kept


def _steps(table: ReadTable) -> FoundTimes | None:
    """Return a column that counts the steps of each series, without repeats in a series."""
    for steps in _counting(table.columns, table.rows):
        labels = find_labels(table.without(steps.columns), steps)
        pairs = labels.series.astype(np.int64) * 2**32 + steps.instants()
        if not count_repeats(pairs[steps.known]):
            name = f"column {steps.columns[0]!r}"
            steps.decisions.insert(0, settled("date", name, steps.reason))
            return steps
    return None


def _counting(columns: Sequence[ReadColumn], rows: Ints) -> Iterator[FoundTimes]:
    for column in columns:
        is_named = sounds_like_time(column.name) or not STEP_WORDS.isdisjoint(words_of(column.name))
        found = None
        if column.numbers is not None and is_named and not counts_rows(column):
            found = as_steps(column.numbers, column.name, rows)
        elif column.type == "label":
            found = _written_steps(column, rows)
        if found is not None:
            yield found


def _written_steps(column: ReadColumn, rows: Ints) -> FoundTimes | None:
    """Read Week 1, Week 2 and so on."""
    matches = [_STEP_TEXT.fullmatch((cell or "").strip()) for cell in column.source.texts()]
    words = {match[1].lower() for match in matches if match is not None}
    if len(words) != 1 or None in matches or not words <= STEP_TEXTS:
        return None
    numbers = np.array([float(match[2]) for match in matches if match is not None])
    return as_steps(numbers, column.name, rows)
