"""Find the column, or several columns together, that name the series of a long file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from app.reading.arrays import Codes, Floats, Ints
from app.reading.columns.column_types import ReadColumn, ReadTable
from app.reading.decisions import Candidate, Decision, Rule, settled, weigh
from app.reading.series.time_column import FoundTimes
from app.reading.vocabulary import ENTITY_WORDS, TIME_WORDS, WEAK_WORDS, words_in, words_of

_MOST_KEYS = 4  # number of columns that may name a series together, such as store and item
_DUPLICATES = 0.05  # share of repeated rows up to which they are duplicates
_FEWEST_ROWS = 2  # per series, on average
_RANKS = {word: place for place, word in reversed(list(enumerate(ENTITY_WORDS)))}
_BY_NAME = "its name suggests a thing that is measured"


@dataclass(frozen=True, kw_only=True)
class FoundLabels:
    """The series of each row."""

    columns: tuple[str, ...]  # () for one series
    labels: tuple[str, ...]  # in the order of first appearance
    series: Codes  # (rows,) index into labels; -1 if the row has none
    decision: Decision


def find_labels(table: ReadTable, times: FoundTimes | None) -> FoundLabels:
    """Find the column that distinguishes the series.

    It is taken where times come more than once and no longer do within the groups of a column, or
    where its labels come in blocks and the times jump from block to block.

    Args:
        table: with the columns that do not hold the times.
        times: of the rows.

    Raises:
        FileProblem: a column that `read` names is not there.
    """
    told = told_labels(table)
    if told is not None:
        return told
    one = one_series(len(table.rows))
    labels = sorted(
        (column for column in table.columns if column.type == "label"),
        key=lambda column: -entity_points(column.name),
    )
    if times is None:
        return _in_blocks(table.of(labels), None) or one
    instants = times.instants()[times.known]
    repeats = count_repeats(instants)
    if repeats > _DUPLICATES * len(instants):
        numbered = [column for column in table.columns if _may_number_series(column)]
        return _resolving(table.of([*labels, *numbered]), times) or one
    found = _in_blocks(table.of(labels), times)
    return found or (None if repeats else _only_name(labels)) or one


def told_labels(table: ReadTable) -> FoundLabels | None:
    """Return the series that `read` names, or None if it does not say.

    Raises:
        FileProblem: a column is not there.
    """
    if not table.options.series:
        return None if table.options.series is None else one_series(len(table.rows), told=True)
    named = table.named(table.options.series, "series")
    names = ", ".join(column.name for column in named)
    return joined(named, settled("series", names, "", told=True))


def one_series(count: int, *, told: bool = False) -> FoundLabels:
    """Return the labels of a file with a single series."""
    decision = settled("series", "one series", "the times do not repeat", told=told)
    series = np.zeros(count, dtype=np.int32)
    return FoundLabels(columns=(), labels=("",), series=series, decision=decision)


def joined(columns: Sequence[ReadColumn], decision: Decision) -> FoundLabels:
    """Return the series that columns name together: ("1", "2") is the series "1, 2"."""
    texts = [pd.Series(column.source.texts(), dtype=object).str.strip() for column in columns]
    whole = texts[0]
    for more in texts[1:]:
        whole = whole + ", " + more
    missing = np.any([text.isna() | (text == "") for text in texts], axis=0)
    codes, labels = pd.factorize(whole.where(~missing))
    return FoundLabels(
        columns=tuple(column.name for column in columns),
        labels=tuple(map(str, labels)) or ("",),
        series=codes.astype(np.int32),
        decision=decision,
    )


def count_repeats(numbers: Ints) -> int:
    """Count repeated numbers; fast for sorted numbers."""
    steps = np.diff(numbers)
    if bool((steps > 0).all()) or bool((steps < 0).all()):
        return 0
    return int((np.diff(np.sort(numbers)) == 0).sum())


def entity_points(name: str) -> float:
    """Return how much a column's name suggests things that are measured, from 0 to 1."""
    found = words_in(name, _RANKS)
    ranks = [_RANKS[word] for word in found]
    is_code = found != ["code"] and not {"code", "iso"}.isdisjoint(words_of(name))
    return 1.0 - min(ranks) / len(_RANKS) / 2 - is_code / 4 if ranks else 0.0


def is_static(numbers: Floats, series: Codes) -> bool:
    """Return whether values never change within a series, as with a postal code."""
    order = np.argsort(series, kind="stable")
    changes = np.diff(numbers[order]) != 0
    return not bool((changes & (np.diff(series[order]) == 0)).any())


def _resolving(table: ReadTable, times: FoundTimes) -> FoundLabels | None:
    """Return the columns within whose groups no time is repeated."""
    candidates: list[Candidate[FoundLabels]] = []
    for size in range(1, _MOST_KEYS + 1):
        columns = table.columns if size == 1 else table.columns[:_MOST_KEYS]
        found = [_candidate(table.of(group), times) for group in combinations(columns, size)]
        candidates += [entry for entry in found if entry is not None]
        if any(entry.score > 0 for entry in candidates):
            break
    if not candidates:
        return None
    best = max(candidates, key=lambda found: found.score)
    others = [
        found
        for found in candidates
        if found is not best and not _same_groups(best.value.series, found.value.series)
    ]
    return replace(best.value, decision=weigh("series", [best, *others])[1])


def _candidate(table: ReadTable, times: FoundTimes) -> Candidate[FoundLabels] | None:
    """Return the columns together as a candidate; None if their groups repeat times."""
    columns = table.columns
    name = ", ".join(column.name for column in columns)
    found = joined(columns, settled("series", name, ""))
    present = found.series >= 0
    known = times.known & present
    if not known.any() or len(found.labels) * _FEWEST_ROWS > known.sum():
        return None
    pairs = np.stack([found.series[known].astype(np.int64), times.instants()[known]])
    order = np.lexsort((pairs[1], pairs[0]))
    twice = float((np.diff(pairs[:, order], axis=1) == 0).all(axis=0).sum() / known.sum())
    if twice > _DUPLICATES:
        return None
    missing = 1 - float(present.mean())
    firsts = np.unique(found.series[present], return_index=True)[1]
    cells = [table.cell(columns[0], int(np.flatnonzero(present)[at])) for at in firsts[:3]]
    named = min(entity_points(column.name) for column in columns)
    weak = any(set(words_of(column.name)) & (WEAK_WORDS - _RANKS.keys()) for column in columns)
    rules = [
        (missing > 0, -1.0 - 10 * missing, f"{missing:.0%} of its cells are empty"),
        (named > 0, named, _BY_NAME),
        (weak, -1.5, "its name suggests a property"),
        (columns[0].numbers is not None, -0.3, "its cells are numbers"),
        (len(columns) > 1, -0.1 * len(columns), "it takes several columns"),
    ]
    reason = "times repeat in the file, and not within its groups"
    holding = [(points, why) for holds, points, why in rules if holds]
    return Candidate(found, name, {"series": name}, [(2.0 - 20 * twice, reason, cells), *holding])


def _same_groups(one: Codes, other: Codes) -> bool:
    """Return whether two columns group the rows alike, as a name and its code do."""
    both = (one >= 0) & (other >= 0)
    pairs = len(np.unique(one[both].astype(np.int64) * 2**32 + other[both]))
    return pairs in {len(np.unique(one[both])), len(np.unique(other[both]))}


def _only_name(columns: list[ReadColumn]) -> FoundLabels | None:
    """Return the column with the same value in every row, which names the only series."""
    for column in columns:
        found = joined([column], settled("series", column.name, "it is the same in every row"))
        if (
            entity_points(column.name)
            and len(found.labels) == 1
            and bool((found.series == 0).all())
        ):
            return found
    return None


def _may_number_series(column: ReadColumn) -> bool:
    if column.type != "number" or column.numbers is None:
        return False
    present = column.numbers[np.isfinite(column.numbers)]
    named = entity_points(column.name) > 0 and TIME_WORDS.isdisjoint(words_of(column.name))
    return bool((present == np.floor(present)).all()) and (named or column.unnamed)


def _in_blocks(table: ReadTable, times: FoundTimes | None) -> FoundLabels | None:
    """Return the column whose labels form blocks, at whose edges the times jump."""
    for column in table.columns:
        found = joined([column], settled("series", column.name, ""))
        edges, count = np.flatnonzero(np.diff(found.series)), len(found.labels)
        is_blocks = len(edges) == count - 1 and 1 < count <= len(table.rows) // _FEWEST_ROWS
        points = entity_points(column.name)
        if not is_blocks or not points or bool((found.series < 0).any()):
            continue
        strong, reason = 0.75, "its labels come in blocks"
        if times is not None:
            steps = np.abs(np.diff(times.instants())).astype(np.float64)
            usual = float(np.median(steps))
            jumps = float((np.abs(steps[edges] - usual) > max(usual, 1) / 2).mean())
            strong = 2.5 * jumps
            reason += f", and the times jump at {jumps:.0%} of their edges"
        cells = [table.cell(column, int(at) + 1) for at in edges[:3]]
        own: list[Rule] = [(points, _BY_NAME), (strong, reason, cells)]
        candidates = [
            Candidate(True, column.name, {"series": column.name}, own),
            Candidate(False, "one series", {"series": ""}, [(1.0, "no time occurs twice")]),
        ]
        best, decision = weigh("series", candidates)
        if best.value:
            return replace(found, decision=decision)
    return None
