"""Suggest the column to predict: a measurement, not a time, a counter, an id or a constant."""

from collections.abc import Iterator, Sequence

import numpy as np

from app.reading.arrays import Floats, Ints, Places
from app.reading.columns.calendar_days import DAY_US
from app.reading.columns.column_types import ReadColumn
from app.reading.columns.numeric_dates import number_dates
from app.reading.content import SeriesContent
from app.reading.decisions import Candidate, Decision, weigh
from app.reading.series.series_column import is_static
from app.reading.vocabulary import PARTS, TARGET_WORDS, WEAK_WORDS, folded, words_in, words_of

_AGGREGATES = {"max", "min", "mean", "avg", "average", "sum", "total"}
_SAMPLE = 5_000  # rows in which a column is compared with the calendar
_NEVER = -20.0
_RULED_OUT = -10.0  # points below which a column is not suggested
_DISTINCT_IDS = 0.99
_NEARLY_ALL = 0.97  # except for the weeks at New Year
_FEWEST = 3  # number of rows that distinguish a measurement from the calendar
_SATURDAY = 5


def suggest_target(
    content: SeriesContent, columns: Sequence[ReadColumn], against: dict[str, str]
) -> tuple[str | None, Decision | None]:
    """Return the likeliest measurement and the decision, or None if no column is one.

    Args:
        content: the series as read.
        columns: those of its values, with cells as they are written.
        against: what speaks against columns that others contradict, by name.
    """
    candidates = []
    for place, column in enumerate(columns):
        rules = [*_by_name(column.name), *_by_values(column, content.values[:, place], content)]
        rules.append((-0.01 * place, "of its place"))
        if column.name in against:
            rules.append((-3.0, against[column.name]))
        candidates.append(Candidate(column.name, column.name, None, rules))
    able = [candidate for candidate in candidates if candidate.score > _RULED_OUT]
    if not able:
        return None, None
    best, decision = weigh("target", able, lead=0.0)
    return best.value, decision


def _by_name(name: str) -> Iterator[tuple[float, str]]:
    whole, words = folded(name).strip(), words_of(name)
    for rank, group in enumerate(TARGET_WORDS):
        found = set(words_in(name, group)) - ({"y"} if len(words) > 1 else set())
        if found or whole in group:
            plain = [word for word in words if word not in _AGGREGATES]
            is_last = whole in group or not name.isascii() or not found.isdisjoint(plain[-1:])
            yield 3.0 - 0.75 * rank - (not is_last) / 2, "its name suggests a measurement"
            return
    if not WEAK_WORDS.isdisjoint(words):
        yield -2.0, "its name suggests a property or a flag"


def _by_values(
    column: ReadColumn, numbers: Floats, content: SeriesContent
) -> Iterator[tuple[float, str]]:
    known = np.flatnonzero(np.isfinite(numbers[:_SAMPLE]))
    if len(known) < min(_SAMPLE, len(numbers)):
        known = np.flatnonzero(np.isfinite(numbers))[:_SAMPLE]
    values, groups = numbers[known], content.series[known]
    if len(values) < 2:
        return
    whole = bool((values == np.floor(values)).all())
    steps = np.abs(np.diff(values)[np.diff(groups) == 0])
    codes = [cell.strip() for cell in column.source.sample]
    padded = any(code.isdigit() and len(code) > 1 and code[0] == "0" for code in codes)
    is_even = len(steps) > 1 and bool(np.allclose(steps, steps[0], rtol=1e-6))
    is_part = bool(words_in(column.name, PARTS))
    is_distinct = len(np.unique(values)) >= _DISTINCT_IDS * len(values)
    is_id = is_distinct and not {"id", "key", "nr", "no"}.isdisjoint(words_of(column.name))
    rules = [
        (is_static(values, groups), _NEVER, "it never changes within a series"),
        (whole and padded, _NEVER, "its numbers have leading zeros, as codes do"),
        (whole and is_id, _NEVER, "it numbers the rows"),
        (_is_time(values, content, known, is_named=is_part), _NEVER, "it is time in another form"),
        (is_even and bool(steps[0] > 0), -4.0, "it counts the rows"),
        (set(np.unique(values).tolist()) <= {0.0, 1.0}, -1.5, "it says yes or no"),
    ]
    yield from ((points, reason) for holds, points, reason in rules if holds)


def _is_time(values: Floats, content: SeriesContent, rows: Places, *, is_named: bool) -> bool:
    """Return whether the values are the year, month, weekday, hour or time of the rows."""
    if content.times is None or len(values) < _FEWEST:
        return False
    moments = content.times[rows]
    days: Ints = moments.astype("datetime64[D]").astype(np.int64)
    whole = number_dates(values, steady=False)
    if whole is not None:
        unit = {"year": "Y", "month": "M", "decimal": "M"}.get(whole.form or "", "D")
        same = whole.days.astype("datetime64[D]").astype(f"datetime64[{unit}]")
        apart = (same - moments.astype(f"datetime64[{unit}]")).astype(np.int64)
        if np.abs(apart).max() <= 1:  # the date in another zone
            return True
    month = moments.astype("datetime64[M]").astype(np.int64) % 12 + 1
    of_month = days - moments.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + 1
    of_year = days - moments.astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64) + 1
    minutes = moments.astype(np.int64) % DAY_US // 60_000_000
    weekday = (days + 3) % 7
    week = (of_year - weekday + 9) // 7  # ISO weeks, except for those that span New Year
    forms = [month, of_month, of_year, minutes // 60, minutes % 60, (month + 2) // 3, week]
    forms += [(weekday + turn) % 7 for turn in range(7)]
    if set(np.unique(values).tolist()) == {0.0, 1.0}:
        forms.append((weekday >= _SATURDAY).astype(np.int64))
    return any(
        (is_named or bool((np.diff(form) < 0).any()))  # the count has started again
        and np.ptp(form) > 0
        and abs(values[0] - form[0]) <= 1
        and (values - form == values[0] - form[0]).mean() > _NEARLY_ALL
        for form in forms
    )
