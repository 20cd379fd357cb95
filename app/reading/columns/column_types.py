"""Find out what each column of a table holds: numbers, dates, labels, text, an index, nothing."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from app.reading.arrays import Floats, Ints, Objects
from app.reading.columns.cell_types import cell_kind
from app.reading.columns.numbers import MISSING_AMONG_NUMBERS, Decimal, parse_number, read_numbers
from app.reading.columns.units import settle_units
from app.reading.decisions import Cell
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem
from app.reading.table.table import Column, Table

ColumnType = Literal["number", "date", "time", "label", "text", "index", "empty"]

_LOOKED_AT = 1_000  # cells of a column, spread over its rows, that decide its type
_NUMBERS_FROM = 0.8  # share of numbers from which a column is numeric
_DATES_FROM = 0.6  # share of dates and numbers from which a column may contain dates
_MAX_UNITS = 6  # a larger variety of words beside the numbers are words, not units
_TEXT_WORDS = 4  # words per cell, on average, from which cells are text and not labels
_INDEX_NAMES = re.compile(
    r"|unnamed.*|index|idx|row|row.?(id|no|number)?|no\.?|nr\.?|#|id|t|lfd\.?.?nr\.?", re.IGNORECASE
)
_MADE_UP = re.compile(r"column \d+")

NO_CELLS: Objects = np.empty(0, dtype=object)


@dataclass(kw_only=True, eq=False)
class ReadColumn:
    """A column and its type."""

    source: Column
    type: ColumnType
    numbers: Floats | None = None
    missing: int = 0
    units: tuple[str, ...] = ()  # currencies, percent signs or units beside the numbers
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)  # endings of sentences about the column
    bad: list[int] = field(default_factory=list)  # positions of cells that are not numbers
    role: str = ""  # what the reading found it to be, if that is not its type

    @property
    def name(self) -> str:
        """The name in the header, or a generated one."""
        return self.source.name

    @property
    def unnamed(self) -> bool:
        """Whether the header has no name for it."""
        return _MADE_UP.fullmatch(self.name) is not None or self.name.startswith("Unnamed")

    def text(self, place: int) -> str:
        """Return one cell as written."""
        if self.source.cells is None:
            numbers = self.source.numbers
            return "" if numbers is None else f"{numbers[place]:.15g}"
        cell = self.source.cells[place]
        return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell or "")


@dataclass(frozen=True, kw_only=True)
class ReadTable:
    """Columns of a table with their types, and how they are to be read."""

    columns: list[ReadColumn]
    rows: Ints  # (rows,) row in the file of each, from 1
    options: ReadOptions
    decimal: Decimal
    european: bool  # decimal commas or semicolons, which speak for the day before the month

    def of(self, columns: Sequence[ReadColumn]) -> "ReadTable":
        """Return the same rows with these columns only."""
        return replace(self, columns=list(columns))

    def without(self, names: Collection[str]) -> "ReadTable":
        """Return the same rows without the columns of these names."""
        return self.of([column for column in self.columns if column.name not in names])

    def cell(self, column: ReadColumn, place: int) -> Cell:
        """Return one cell of a column with its place in the file."""
        return Cell(row=int(self.rows[place]), column=column.name, text=column.text(place))

    def named(self, told: str | list[str], option: str) -> list[ReadColumn]:
        """Return the column that `read` names, or the several in a list or separated by commas.

        Letter case is ignored where that is unambiguous.

        Raises:
            FileProblem: there is none.
        """
        if isinstance(told, str):
            is_list = "," in told and all(column.name != told for column in self.columns)
            told = told.split(",") if is_list else [told]
        found = []
        for name in told:
            exact = [column for column in self.columns if column.name == name]
            loose = [entry for entry in self.columns if entry.name.lower() == name.strip().lower()]
            if not exact and len(loose) != 1:
                names = ", ".join(column.name for column in self.columns)
                message = f"the file has no column {name!r}; it has {names}"
                raise FileProblem(message, field=f"read.{option}")
            found.append((exact or loose)[0])
        return found


def read_columns(table: Table, options: ReadOptions, *, semicolons: bool = False) -> ReadTable:
    """Determine the type of each column, and read the numbers.

    Args:
        table: the cells.
        options: how to read them.
        semicolons: stand between the cells.
    """
    decimal: Decimal = "," if table.decimal == "," else "."
    return ReadTable(
        columns=[read_column(column, decimal, options.missing) for column in table.columns],
        rows=table.rows,
        options=options,
        decimal=decimal,
        european=semicolons or decimal == ",",
    )


def read_column(column: Column, decimal: Decimal, missing: str | None = None) -> ReadColumn:
    """Determine the type of one column.

    Args:
        column: its cells.
        decimal: the decimal sign.
        missing: further spellings of "no value", separated by commas, as in `read`.
    """
    spellings = frozenset(word.strip().lower() for word in (missing or "").split(",")) - {""}
    if column.numbers is not None:
        return _from_numbers(column, column.numbers, spellings)
    if column.cells is not None and isinstance(column.cells.dtype, np.dtypes.BytesDType):
        return ReadColumn(source=column, type="date")  # only dates are read as bytes
    return _from_cells(column, column.texts(), decimal, spellings)


def index_columns(columns: list[ReadColumn]) -> list[ReadColumn]:
    """Return the columns that only count the rows, unless no other column is left."""
    counting = [column for column in columns if counts_rows(column)]
    others = any(column.type == "number" and column not in counting for column in columns)
    return counting if others else []


def counts_rows(column: ReadColumn) -> bool:
    """Return whether a column only counts the rows one by one, up or down."""
    numbers = column.numbers
    if numbers is None or not (column.unnamed or _INDEX_NAMES.fullmatch(column.name)):
        return False
    numbers = numbers[np.isfinite(numbers)]
    steps = np.diff(numbers)
    if not len(steps) or abs(steps[0]) != 1 or not bool((steps == steps[0]).all()):
        return False
    return float(numbers.min()) in {0.0, 1.0}


def _from_numbers(column: Column, numbers: Floats, spellings: frozenset[str]) -> ReadColumn:
    said = [parse_number(word, ".") for word in spellings]
    marks = [number[0] for number in said if number is not None]
    if marks and bool(np.isin(numbers, marks).any()):
        numbers = np.where(np.isin(numbers, marks), np.nan, numbers)
    missing = int(np.isnan(numbers).sum())
    empty = missing == len(numbers)
    return ReadColumn(
        source=column,
        type="empty" if empty else "number",
        numbers=None if empty else numbers,
        missing=missing,
    )


def _from_cells(
    column: Column, cells: Objects, decimal: Decimal, spellings: frozenset[str]
) -> ReadColumn:
    kinds = _kinds(cells, spellings)
    total = kinds.total()
    if not total:
        return ReadColumn(source=column, type="empty", missing=len(cells))
    if kinds["date"] and kinds["date"] + kinds["number"] > _DATES_FROM * total:
        return ReadColumn(source=column, type="date")
    if kinds["clock"] > _DATES_FROM * total:
        return ReadColumn(source=column, type="time")
    # One odd cell among few is an error, and the column is still numeric.
    if kinds["number"] > _NUMBERS_FROM * total or kinds["number"] == total - 1 > 1:
        read = _careful(column, cells, decimal, spellings)
        if read is not None:
            return read
    words = [len(cell.split()) for cell in cells[:_LOOKED_AT] if isinstance(cell, str)]
    wordy = sum(words) > _TEXT_WORDS * max(len(words), 1)
    missing = sum(1 for cell in cells if not isinstance(cell, str) or not cell.strip())
    return ReadColumn(source=column, type="text" if wordy else "label", missing=missing)


def _kinds(cells: Objects, spellings: frozenset[str]) -> Counter[str]:
    present = cells[[isinstance(cell, str) for cell in cells]]
    sample = present[:: max(len(present) // _LOOKED_AT, 1)]
    kinds: Counter[str] = Counter(cell_kind(cell) for cell in sample)
    if kinds["number"]:  # what is missing among numbers is a label elsewhere
        texts = [cell.strip().lower() for cell in sample if cell_kind(cell) == "text"]
        kinds["text"] -= sum(text in MISSING_AMONG_NUMBERS or text in spellings for text in texts)
    del kinds["missing"]
    return +kinds


def _careful(
    column: Column, cells: Objects, decimal: Decimal, spellings: frozenset[str]
) -> ReadColumn | None:
    read = read_numbers(cells, decimal, spellings)
    good = len(cells) - read.missing - len(read.bad)
    few = len(read.bad) <= 1 and good > 1
    if not (good > _NUMBERS_FROM * (good + len(read.bad)) or few) or len(read.units) > _MAX_UNITS:
        return None
    units = settle_units(read)
    cleaned = _from_numbers(column, read.values, spellings)
    cleaned.missing -= len(read.bad)
    cleaned.units, cleaned.notes = tuple(units.names), units.notes
    cleaned.warnings, cleaned.bad = units.warnings, sorted(read.bad)
    return cleaned
