"""Which number is the day and which the month, decided over the whole column.

Ranges come first (a 30 is no month), then what the user said, then the order of the rows: the
reading under which the times run steadily in one direction. Where two readings do so equally
well, one is taken and the other is told.
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.reading.columns.dates import DateCells, Ints, Triples, days_of, full_years

DateOrder = Literal["ymd", "mdy", "dmy"]

_PLACES: dict[DateOrder, tuple[int, int, int]] = {  # where year, month and day stand
    "mdy": (2, 0, 1),
    "dmy": (2, 1, 0),
    "ymd": (0, 1, 2),
}
_SAME = 0.02  # two readings whose rows are in order to within this share are equally good
_STEADY = 0.9  # below this share the rows are in no order that could tell anything
_EVENER = 0.2  # by how much the steps must be more even to decide, where the order does not
_TOO_MANY_STRAY = 0.1  # above this share of impossible dates an order is ruled out


@dataclass(frozen=True, kw_only=True)
class OrderDecision:
    """How the dates of one spelling were read, and why."""

    label: str  # as written, with the parts named: m/d/yyyy
    order: DateOrder
    rows: int
    reason: str
    equally_good: DateOrder | None  # another order that would do as well


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    order: DateOrder
    days: Ints
    valid: npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class _Habit:
    """What is usual, where the rows themselves leave it open."""

    order: DateOrder
    reason: str
    certain: bool = False


def settle_order(
    dates: DateCells, *, told: DateOrder | None, european: bool
) -> list[OrderDecision]:
    """Fills in the days of all rows that were open, and says how it came to the order.

    Args:
        dates: as `read_dates` gives them; changed in place.
        told: what the user said, which settles what ranges leave open.
        european: the file has decimal commas or semicolons, which speaks for the day first.
    """
    decisions: list[OrderDecision] = []
    waiting: list[tuple[Triples, npt.NDArray[np.intp], list[_Candidate]]] = []
    for (_, digits), triples in dates.triples.items():
        rows = np.concatenate(triples.rows)
        if len(rows):
            numbers = np.concatenate(triples.numbers)  # (cells, 3)
            waiting.append((triples, rows, _candidates(numbers, digits, told)))
    # What is certain goes first: it is the ground on which the rest is judged.
    for triples, rows, candidates in sorted(waiting, key=lambda item: len(item[2])):
        settled = {decision.order for decision in decisions if decision.equally_good is None}
        like = settled.pop() if len(settled) == 1 else None
        habit = _habit(triples.sign, european=european, like=like)
        decisions.append(_decide(dates, triples, rows, candidates, told, habit=habit))
    return decisions


def order_share(days: Ints | npt.NDArray[np.float64]) -> float:
    """How steadily times run in one direction: 1 always, 0.5 as often back as forth."""
    steps = np.diff(days)
    forth, back = int((steps > 0).sum()), int((steps < 0).sum())
    return max(forth, back) / (forth + back) if forth + back else 1.0


def _candidates(numbers: Ints, digits: int, told: DateOrder | None) -> list[_Candidate]:
    orders: tuple[DateOrder, ...] = ("mdy", "dmy") if digits > 2 else ("mdy", "dmy", "ymd")
    found = []
    for order in orders:
        year, month, day = _PLACES[order]
        years = full_years(numbers[:, year], digits)
        days, valid = days_of(years, numbers[:, month], numbers[:, day])
        found.append(_Candidate(order=order, days=days, valid=valid))
    if told is not None and any(candidate.order == told for candidate in found):
        return [candidate for candidate in found if candidate.order == told]
    most = max(float(candidate.valid.mean()) for candidate in found)
    return [
        candidate
        for candidate in found
        if candidate.valid.mean() >= most and candidate.valid.mean() > 1 - _TOO_MANY_STRAY
    ] or [max(found, key=lambda candidate: float(candidate.valid.mean()))]


def _decide(
    dates: DateCells,
    triples: Triples,
    rows: npt.NDArray[np.intp],
    candidates: list[_Candidate],
    told: DateOrder | None,
    *,
    habit: _Habit,
) -> OrderDecision:
    equally_good: DateOrder | None = None
    best = candidates[0]
    if len(candidates) == 1:
        said = told == best.order
        reason = "as `read` says" if said else "any other order gives days or months out of range"
    else:
        best, reason, equally_good = _weigh(dates, rows, candidates, habit)
    dates.days[rows] = best.days
    dates.dated[rows] = best.valid
    dates.open[rows] = False
    for label, (count, first) in triples.formats.items():
        dates.formats[spelled(label, best.order)] = (count, first)
    return OrderDecision(
        label=spelled(next(iter(triples.formats)), best.order),
        order=best.order,
        rows=int(best.valid.sum()),
        reason=reason,
        equally_good=equally_good,
    )


def _habit(sign: str, *, european: bool, like: DateOrder | None) -> _Habit:
    if like is not None:
        return _Habit(order=like, reason="as the other dates of the column", certain=True)
    if sign == ".":
        return _Habit(order="dmy", reason="with dots the day usually stands first")
    if european:
        reason = "in files with semicolons or decimal commas the day usually stands first"
        return _Habit(order="dmy", reason=reason)
    return _Habit(order="mdy", reason="most such files have the month first")


def _weigh(
    dates: DateCells,
    rows: npt.NDArray[np.intp],
    candidates: list[_Candidate],
    habit: _Habit,
) -> tuple[_Candidate, str, DateOrder | None]:
    """Chooses among orders that ranges allow: the candidate, why, and one that is as good."""
    for measure, least, lead, what in (
        (order_share, _STEADY, _SAME, "of the steps between rows go one way"),
        (evenness, 0.0, _EVENER, "of the times are evenly spaced"),
    ):
        scores = [
            (measure(_all_days(dates, rows, candidate)), candidate) for candidate in candidates
        ]
        scores.sort(key=lambda item: (-item[0], item[1].order != habit.order))
        (high, best), (low, second) = scores[0], scores[1]
        if high < least:
            continue
        if high - low > lead:
            reason = f"read so {high:.0%} {what}, read as {second.order} {low:.0%}"
            return best, reason, None
        candidates = [candidate for score, candidate in scores if high - score <= lead]
    best = next((entry for entry in candidates if entry.order == habit.order), candidates[0])
    if habit.certain and best.order == habit.order:
        return best, habit.reason, None
    other = next(entry for entry in candidates if entry is not best)
    reason = habit.reason if best.order == habit.order else "nothing speaks for another"
    return best, reason, other.order


def evenness(days: Ints) -> float:
    """The share of the steps, once sorted, that are of the commonest length in days or months."""
    ordered = np.unique(days)
    steps = np.diff(ordered)
    if not len(steps):
        return 1.0
    months = ordered.astype("datetime64[D]").astype("datetime64[M]")
    in_month = ordered - months.astype("datetime64[D]").astype(np.int64)
    if bool((in_month == in_month[0]).all()):
        steps = np.diff(months.astype(np.int64))
    return float(np.unique(steps, return_counts=True)[1].max() / len(steps))


def _all_days(dates: DateCells, rows: npt.NDArray[np.intp], candidate: _Candidate) -> Ints:
    """The days of the column, these rows read as the candidate says."""
    known = dates.dated.copy()
    days = dates.days.copy()
    days[rows] = candidate.days
    known[rows] = candidate.valid
    return days[known]


def spelled(label: str, order: DateOrder) -> str:
    """The label with the parts named: a/b/cccc read as mdy is m/d/yyyy."""
    letters = dict(zip("abc", order, strict=True))

    def named(match: re.Match[str]) -> str:
        letter = letters[match.group()[0]]
        return letter * max(len(match.group()), 2) if letter == "y" else letter

    return re.sub(r"(?<![A-Za-z])(?:a|b|c+)(?![a-z])", named, label)  # not that of Day
