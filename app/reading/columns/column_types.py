"""What each column of a table holds: numbers, dates, labels, text, an index, nothing."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.reading.columns.cell_types import cell_kind
from app.reading.columns.numbers import Decimal, is_missing, read_numbers
from app.reading.table.table import Column, Floats, Table

ColumnType = Literal["number", "date", "time", "label", "text", "index", "empty"]

_LOOKED_AT = 1_000  # cells of a column, spread over its rows, that decide its type
_NUMBERS_FROM = 0.8  # share of numbers from which a column is one of numbers
_DATES_FROM = 0.6  # share of dates and numbers from which a column may be one of dates
_MAX_UNITS = 3  # more different words beside the numbers are words, not units
_TEXT_WORDS = 4  # words per cell, on average, from which cells are text and not labels
_INDEX_NAMES = re.compile(
    r"|unnamed.*|index|idx|row|row.?(id|no|number)?|no\.?|nr\.?|#|id|t", re.IGNORECASE
)
_MADE_UP = re.compile(r"column \d+")

NO_CELLS: npt.NDArray[np.object_] = np.empty(0, dtype=object)


@dataclass(kw_only=True, eq=False)
class ReadColumn:
    """A column and what it was found to hold."""

    source: Column
    type: ColumnType
    numbers: Floats | None = None
    missing: int = 0
    units: tuple[str, ...] = ()  # currencies, percent or units beside the numbers
    notes: list[str] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)  # positions of cells that are no number

    @property
    def name(self) -> str:
        """The name in the header, or a made up one."""
        return self.source.name

    @property
    def unnamed(self) -> bool:
        """Whether the header says nothing."""
        return _MADE_UP.fullmatch(self.name) is not None or self.name.startswith("Unnamed")


def read_columns(table: Table) -> list[ReadColumn]:
    """Finds out what each column holds, and reads the numbers."""
    decimal: Decimal = "," if table.decimal == "," else "."
    return [_read(column, decimal) for column in table.columns]


def index_columns(columns: list[ReadColumn]) -> list[ReadColumn]:
    """The columns that only count the rows, unless nothing else is left."""
    counting = [column for column in columns if counts_rows(column)]
    others = any(column.type == "number" and column not in counting for column in columns)
    return counting if others else []


def counts_rows(column: ReadColumn) -> bool:
    """Whether a column only counts the rows, one by one, up or down."""
    numbers = column.numbers
    if numbers is None or len(numbers) < 2:
        return False
    if not (column.unnamed or _INDEX_NAMES.fullmatch(column.name)):
        return False
    numbers = numbers[np.isfinite(numbers)]
    steps = np.diff(numbers)
    if not len(steps) or abs(steps[0]) != 1 or not bool((steps == steps[0]).all()):
        return False
    return float(numbers.min()) in {0.0, 1.0}


def _read(column: Column, decimal: Decimal) -> ReadColumn:
    if column.numbers is not None:
        missing = int(np.isnan(column.numbers).sum())
        empty = missing == len(column.numbers)
        return ReadColumn(
            source=column,
            type="empty" if empty else "number",
            numbers=None if empty else column.numbers,
            missing=missing,
        )
    cells = NO_CELLS if column.cells is None else column.cells
    if isinstance(cells.dtype, np.dtypes.BytesDType):
        return ReadColumn(source=column, type="date")  # only dates are read as bytes
    return _read_cells(column, cells, decimal)


def _read_cells(
    column: Column, cells: npt.NDArray[np.object_] | npt.NDArray[np.bytes_], decimal: Decimal
) -> ReadColumn:
    kinds = _kinds(cells)
    total = kinds.total()
    if not total:
        return ReadColumn(source=column, type="empty", missing=len(cells))
    if kinds["date"] and kinds["date"] + kinds["number"] > _DATES_FROM * total:
        return ReadColumn(source=column, type="date")
    if kinds["clock"] > _DATES_FROM * total:
        return ReadColumn(source=column, type="time")
    if kinds["number"] > _NUMBERS_FROM * total:
        read = _careful(column, decimal)
        if read is not None:
            return read
    words = [len(cell.split()) for cell in cells[:_LOOKED_AT] if isinstance(cell, str)]
    wordy = sum(words) > _TEXT_WORDS * max(len(words), 1)
    missing = sum(1 for cell in cells if is_missing(cell))
    return ReadColumn(source=column, type="text" if wordy else "label", missing=missing)


def _kinds(cells: npt.NDArray[np.object_] | npt.NDArray[np.bytes_]) -> Counter[str]:
    present = cells[[isinstance(cell, str) for cell in cells]]
    step = max(len(present) // _LOOKED_AT, 1)
    kinds: Counter[str] = Counter(cell_kind(cell) for cell in present[::step])
    del kinds["missing"]
    return kinds


def _careful(column: Column, decimal: Decimal) -> ReadColumn | None:
    cells = NO_CELLS if column.cells is None else column.cells
    read = read_numbers(cells, decimal)
    good = len(cells) - read.missing - len(read.bad)
    if good <= _NUMBERS_FROM * (good + len(read.bad)) or len(read.units) > _MAX_UNITS:
        return None
    result = ReadColumn(
        source=column,
        type="number",
        numbers=read.values,
        missing=read.missing,
        units=tuple(read.units),
        bad=read.bad,
    )
    if "%" in read.units:
        result.notes.append("5 % is read as 5")
    if read.magnitudes:
        result.notes.append(f"{read.magnitudes} cells such as 7.38M are read as 7,380,000")
    return result
