"""Decide for the whole column which number is the day and which is the month.

Ranges come first (a 30 is no month), then what `read` says, then what the rows show: times that run
in one direction, and steps of a regular length. Where two readings do so equally well, the habit of
such files decides, and the decision is doubtful.
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.reading.arrays import Bools, Ints, Places
from app.reading.columns.calendar_days import DAY_US, days_of, full_years, order_share
from app.reading.columns.column_types import ReadColumn, ReadTable
from app.reading.columns.dates import DateCells, Triples
from app.reading.decisions import Candidate, Cell, Decision, Rule, settled, weigh
from app.reading.series.frequency_finder import find_frequency

DateOrder = Literal["ymd", "mdy", "dmy"]
Habit = tuple[str, float, str]  # order, points, reason

_PLACES: dict[DateOrder, tuple[int, int, int]] = {  # positions of year, month and day
    "mdy": (2, 0, 1),
    "dmy": (2, 1, 0),
    "ymd": (0, 1, 2),
}
_SHORT_YEAR = 2  # digits
_STEADY = 0.9  # below this share, the order of the rows says nothing
_TOO_MANY_STRAY = 0.1  # above this share of impossible dates, an order is excluded
# for rows that all run in one direction, compared with rows that go back and forth
_ORDER_POINTS = 10.0
_STEP_POINTS = 5.0  # for a regular step without gaps
_HABIT_POINTS = 0.25
_SHOWN_POINTS = 0.01  # for both readings: a cell shows what each comes to
_LEAD = 0.5  # points
_SCORED_ROWS = 20_000  # number of steps that are examined


@dataclass(frozen=True, kw_only=True)
class _Reading:
    order: DateOrder
    days: Ints
    valid: Bools


def settle_order(dates: DateCells, column: ReadColumn, table: ReadTable) -> list[Decision]:
    """Fill in the days of all open rows, and decide on their order.

    Args:
        dates: as `read_dates` gives them; changed in place.
        column: that they come from.
        table: in which it stands; its options settle what ranges leave open.
    """
    told, buddhist = table.options.date_order, table.options.years != "ad"
    decisions: list[Decision] = []
    waiting: list[tuple[Triples, Places, list[_Reading]]] = []
    for (_, digits), triples in dates.triples.items():
        rows = np.concatenate(triples.rows)
        if len(rows):
            numbers = np.concatenate(triples.numbers)  # (cells, 3)
            waiting.append((triples, rows, _readings(numbers, digits, told, buddhist=buddhist)))
    # What is certain comes first, because the rest is judged by it.
    for triples, rows, readings in sorted(waiting, key=lambda item: len(item[2])):
        certain = {entry.chosen for entry in decisions if entry.certainty != "doubtful"}
        like = certain.pop() if len(certain) == 1 else None
        best = readings[0]
        if len(readings) == 1:
            reason = "any other order gives days or months out of range"
            decision = settled("date_order", best.order, reason, told=told == best.order)
        else:
            habit = _habit(triples.sign, like, european=table.european)
            cell = table.cell(column, int(rows[0]))
            best, decision = _decide(dates, triples, rows, readings, (habit, cell))
        dates.days[rows] = best.days
        dates.dated[rows] = best.valid
        dates.open[rows] = False
        for label, (count, first) in triples.formats.items():
            dates.formats[spelled(label, best.order)] = (count, first)
        decisions.append(decision)
    return decisions


def spelled(label: str, order: DateOrder) -> str:
    """Return the label with the parts named: a/b/cccc read as mdy is m/d/yyyy."""
    letters = dict(zip("abc", order, strict=True))

    def named(match: re.Match[str]) -> str:
        letter = letters[match.group()[0]]
        return letter * max(len(match.group()), 2) if letter == "y" else letter

    return re.sub(r"(?<![A-Za-z])(?:a|b|c+)(?![a-z])", named, label)  # not that of Day


def _readings(
    numbers: Ints, digits: int, told: DateOrder | None, *, buddhist: bool
) -> list[_Reading]:
    orders: tuple[DateOrder, ...] = (
        ("mdy", "dmy") if digits > _SHORT_YEAR else ("mdy", "dmy", "ymd")
    )
    found = []
    for order in orders:
        year, month, day = _PLACES[order]
        years = full_years(numbers[:, year], digits, buddhist=buddhist)
        days, valid = days_of(years, numbers[:, month], numbers[:, day])
        found.append(_Reading(order=order, days=days, valid=valid))
    if told is not None and any(reading.order == told for reading in found):
        return [reading for reading in found if reading.order == told]
    most = max(float(reading.valid.mean()) for reading in found)
    return [
        reading
        for reading in found
        if reading.valid.mean() >= most and reading.valid.mean() > 1 - _TOO_MANY_STRAY
    ] or [max(found, key=lambda reading: float(reading.valid.mean()))]


def _decide(
    dates: DateCells,
    triples: Triples,
    rows: Places,
    readings: list[_Reading],
    beside: tuple[Habit, Cell],
) -> tuple[_Reading, Decision]:
    columns: dict[DateOrder, Ints] = {}  # all times of the column, with these rows read so
    for reading in readings:
        days, known = dates.days.copy(), dates.dated.copy()
        days[rows], known[rows] = reading.days, reading.valid
        columns[reading.order] = (days * DAY_US + dates.clock)[known]
    shares = {order: order_share(days) for order, days in columns.items()}
    steady = max(shares.values()) >= _STEADY
    habit, first = beside
    candidates = []
    for reading in readings:
        label = spelled(next(iter(triples.formats)), reading.order)
        share, ordered = shares[reading.order], np.unique(columns[reading.order][:_SCORED_ROWS])
        step = find_frequency(
            ordered.astype("datetime64[us]"), np.zeros(len(ordered), dtype=np.int32)
        )
        rules: list[Rule] = [habit[1:]] if habit[0] == reading.order else []
        date = reading.days[0].astype("datetime64[D]")
        rules.append((_SHOWN_POINTS, f"it makes the first one {date}", [first]))
        if steady:
            reason = f"read as {label}, {share:.0%} of the steps between rows go one way"
            rules.append((_ORDER_POINTS * (share - 0.5), reason))
        if step.frequency is not None:
            reason = f"read as {label}, {step.reason} ({step.frequency})"
            rules.append((_STEP_POINTS * step.score, reason))
        candidates.append(Candidate(reading, reading.order, {"date_order": reading.order}, rules))
    choice, decision = weigh("date_order", candidates, lead=_LEAD)
    return choice.value, decision


def _habit(sign: str, like: str | None, *, european: bool) -> Habit:
    """Add what is usual, if the rows do not decide."""
    if like is not None:
        return like, 2 * _LEAD, "the other dates of the column are written this way"
    if sign == ".":
        return "dmy", _HABIT_POINTS, "with dots the day usually comes first"
    if european:
        reason = "in files with semicolons or decimal commas the day usually comes first"
        return "dmy", _HABIT_POINTS, reason
    return "mdy", _HABIT_POINTS, "most such files have the month first"
