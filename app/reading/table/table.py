"""Define a table as read, before the meaning of its columns is known."""

from dataclasses import dataclass

import numpy as np

from app.reading.arrays import Cells, Floats, Ints, Objects
from app.reading.decisions import Decision

SAMPLE_CELLS = 30  # cells of a column that are kept as written


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """A column: already read as numbers, or with its original cells."""

    name: str
    numbers: Floats | None = None  # (rows,) NaN where missing
    cells: Cells | None = None  # (rows,) str, or None where missing
    sample: tuple[str, ...] = ()  # some cells as written, which numbers do not show

    def texts(self) -> Objects:
        """Return the cells as str, None if empty; numbers as they would be written."""
        if self.numbers is not None:
            return np.array([_written(number) for number in self.numbers.tolist()], dtype=object)
        if self.cells is None:
            return np.empty(0, dtype=object)
        if isinstance(self.cells.dtype, np.dtypes.BytesDType):
            packed = self.cells.tolist()
            return np.array([cell.decode("utf-8", "replace") for cell in packed], dtype=object)
        return self.cells.astype(object, copy=False)


@dataclass(frozen=True, kw_only=True)
class SkippedRow:
    """A row of the file that did not become a row of the table."""

    row: int  # row in the file, from 1
    reason: str
    cells: int = 0  # number of its cells


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of a file, column by column."""

    columns: tuple[Column, ...]
    rows: Ints  # (rows,) row in the file of each, from 1
    skipped: tuple[SkippedRow, ...] = ()
    decimal: str = "."
    decisions: tuple[Decision, ...] = ()  # about the decimal sign

    def column(self, name: str) -> Column | None:
        """Return the column of this name."""
        return next((column for column in self.columns if column.name == name), None)


def _written(number: float) -> str | None:
    if number != number:  # noqa: PLR0124  only NaN is not itself
        return None
    exact = abs(number) < 1e15  # a float represents all whole numbers up to this
    return str(int(number)) if exact and number == int(number) else repr(number)
