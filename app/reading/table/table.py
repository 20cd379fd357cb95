"""A table as read, before anything is known of what its columns mean."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.reading.decisions import Decision

SAMPLE_CELLS = 30  # of a column, that are kept as they are written
Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """A column: read as numbers already, or as the cells that stand in the file."""

    name: str
    numbers: Floats | None = None  # (rows,) NaN where missing
    cells: Objects | npt.NDArray[np.bytes_] | None = None  # (rows,) str, or None where missing
    sample: tuple[str, ...] = ()  # some cells as they are written, which numbers are not

    def texts(self) -> Objects:
        """Return the cells as str, None where empty; numbers as they would be written."""
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
    """A row of the file that did not even become a row of the table."""

    row: int  # in the file, from 1
    reason: str
    cells: int = 0  # that it has


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of a file, column by column."""

    columns: tuple[Column, ...]
    rows: Ints  # (rows,) where in the file each stands, from 1
    skipped: tuple[SkippedRow, ...] = ()
    decimal: str = "."
    decisions: tuple[Decision, ...] = ()  # about the decimal sign

    def column(self, name: str) -> Column | None:
        """Return the column of this name."""
        return next((column for column in self.columns if column.name == name), None)


def _written(number: float) -> str | None:
    if number != number:  # noqa: PLR0124  only NaN is not itself
        return None
    exact = abs(number) < 1e15  # a float holds all whole numbers up to there
    return str(int(number)) if exact and number == int(number) else repr(number)
