"""Which column names the series in a long file."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from app.reading.columns.column_types import ReadColumn
from app.reading.read_options import ReadOptions
from app.reading.series.time_column import FoundTimes, column_named
from app.reading.table.table import Ints

_REASON = "times repeat in the file, and do not within its groups"
_MOST_KEYS = 4  # columns that may name a series together, as store and item do
_LABEL_WORDS = ("series", "symbol", "ticker", "unique_id", "name", "item", "store", "id", "code")


@dataclass(frozen=True, kw_only=True)
class FoundLabels:
    """The series of each row."""

    columns: tuple[str, ...]  # () for one series
    reason: str
    labels: tuple[str, ...]  # in the order of first appearance
    series: npt.NDArray[np.int32]  # (rows,) index into labels; -1 where the row has none


def find_labels(
    columns: list[ReadColumn], times: FoundTimes | None, options: ReadOptions, count: int
) -> FoundLabels:
    """Finds the column that tells the series apart.

    It is taken where times come more than once and no longer do within the groups of a column.

    Raises:
        FileProblem: the column that the user named is not there.
    """
    if options.series:
        return _joined(_columns_named(columns, options.series), "as `read` says")
    one = FoundLabels(
        columns=(), reason="one series", labels=("",), series=np.zeros(count, dtype=np.int32)
    )
    if options.series == "" or times is None:
        return one
    instants = times.instants()
    if not bool(times.known.all()):
        instants = instants[times.known]
    repeats = count_repeats(instants)
    candidates = [column for column in columns if column.type == "label"]
    if not repeats:
        return _only_name(candidates, times) or one
    numbered = [column for column in columns if _may_number_series(column)]
    for column in [*_by_name(candidates), *_by_name(numbered)]:
        found = _joined([column], _REASON)
        if len(found.labels) < len(instants) and not _repeats(found, times):
            return found
    likely = [*_by_name(candidates), *_by_name(numbered)][:_MOST_KEYS]
    several = [column for column in columns if column in likely]
    for size in range(2, len(several) + 1):
        for group in combinations(several, size):
            found = _joined(list(group), _REASON)
            if len(found.labels) * 2 < len(instants) and not _repeats(found, times):
                return found
    return one


def count_repeats(numbers: Ints) -> int:
    """How many numbers come again; quick for numbers that stand in order."""
    steps = np.diff(numbers)
    if bool((steps > 0).all()) or bool((steps < 0).all()):
        return 0
    return int((np.diff(np.sort(numbers)) == 0).sum())


def _only_name(candidates: list[ReadColumn], times: FoundTimes) -> FoundLabels | None:
    """A column that says the same in every row names the one series."""
    for column in candidates:
        found = _joined([column], "it says the same in every row")
        if len(found.labels) == 1 and bool((found.series[times.known] == 0).all()):
            return found
    return None


def _may_number_series(column: ReadColumn) -> bool:
    numbers = column.numbers
    if column.type != "number" or numbers is None:
        return False
    present = numbers[np.isfinite(numbers)]
    named = any(word in column.name.lower() for word in _LABEL_WORDS)
    return bool((present == np.floor(present)).all()) and (named or column.unnamed)


def _by_name(columns: list[ReadColumn]) -> list[ReadColumn]:
    def rank(column: ReadColumn) -> int:
        name = column.name.lower()
        return next(
            (place for place, word in enumerate(_LABEL_WORDS) if word in name), len(_LABEL_WORDS)
        )

    return sorted(columns, key=rank)


def _repeats(found: FoundLabels, times: FoundTimes) -> bool:
    known = times.known & (found.series >= 0)
    pairs = np.stack([found.series[known].astype(np.int64), times.instants()[known]], axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    same = (pairs[order][1:] == pairs[order][:-1]).all(axis=1)
    # A few rows that come twice are duplicates; if it were another column, most would.
    return int(same.sum()) * 20 > len(pairs)


def _columns_named(columns: list[ReadColumn], told: str) -> list[ReadColumn]:
    """The column of this name, or the several that commas separate."""
    if "," in told and all(column.name != told for column in columns):
        return [column_named(columns, name, "series") for name in told.split(",")]
    return [column_named(columns, told, "series")]


def _joined(columns: list[ReadColumn], reason: str) -> FoundLabels:
    """The series that these columns name together: ("1", "2") is the series "1, 2"."""
    parts = [column.source.texts() for column in columns]
    codes: dict[str, int] = {}
    series = np.empty(len(parts[0]), dtype=np.int32)
    for row, cells in enumerate(zip(*parts, strict=True)):
        texts = [cell.strip() if isinstance(cell, str) else "" for cell in cells]
        label = ", ".join(texts)
        series[row] = codes.setdefault(label, len(codes)) if all(texts) else -1
    return FoundLabels(
        columns=tuple(column.name for column in columns),
        reason=reason,
        labels=tuple(codes) or ("",),
        series=series,
    )
