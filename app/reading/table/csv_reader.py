"""Read a delimited text file as a table: fast if cells are plain, carefully if they are odd.

The fast way gives pandas the type of every column, according to the sample, so that its C parser
works on all cores. It fails at a cell that is not of that type. Then every column is read according
to its content, and odd cells by their forms (`app.reading.columns.numbers`).
"""

import csv
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from app.reading.arrays import Ints
from app.reading.columns.cell_types import majority
from app.reading.columns.decimal_sign import DecimalEvidence
from app.reading.columns.numbers import MISSING_AMONG_NUMBERS, Decimal
from app.reading.report import FileProblem
from app.reading.table.delimiter import Record
from app.reading.table.dialect import Dialect
from app.reading.table.split_numbers import check_rows
from app.reading.table.table import SAMPLE_CELLS, Column, SkippedRow, Table

_SPARE_BYTES = 4  # by which later dates may be longer than those of the sample
_EVIDENCE_CELLS = 2_000  # of a column, spread over its rows
_PLAIN = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*", re.ASCII)
_SKIPPED = re.compile(r"Skipping line (\d+): expected (\d+) fields, saw (\d+)")
_MANY_BAD = 0.01  # above this share, longer rows are not strays but the file's layout

_MISSING_SPELLINGS = sorted(
    spelling
    for word in MISSING_AMONG_NUMBERS
    if "inf" not in word
    for spelling in {word, word.upper(), word.title(), "NaN", "#N/A"}
)


Loaded = tuple[pd.DataFrame, tuple[SkippedRow, ...]]  # the rows, and those that are too long


def read_csv(path: Path, dialect: Dialect, *, decimal: Decimal | None) -> Table:
    """Read the table in a UTF-8 text file.

    Args:
        path: the file.
        dialect: its layout.
        decimal: the decimal sign, if `read` names it.

    Raises:
        FileProblem: the rows cannot be split into cells (a quote is never closed, for example), or
            thousands separators split its numbers.
    """
    semicolons = dialect.delimiter == ";"
    seen = _evidence(dialect)
    sign, decision = seen.decide(decimal, semicolons=semicolons)
    loaded = _load_fast(path, dialect, sign)
    if loaded is None:
        loaded = _load_careful(path, dialect, sign)
        if decimal is None:
            other, decision = _evidence(dialect, loaded[0]).decide(None, semicolons=semicolons)
            if other != sign:
                sign = other
                loaded = _load_careful(path, dialect, sign)
    frame, skipped = loaded
    if decimal is None and seen.is_empty:
        late = _late_evidence(path, dialect, frame)
        decision = decision if late.is_empty else late.decide(None, semicolons=semicolons)[1]
    return Table(
        columns=_columns(frame, dialect),
        rows=_row_numbers(dialect, len(frame), skipped),
        skipped=skipped,
        decimal=sign,
        decisions=(decision,),
    )


def _evidence(dialect: Dialect, frame: pd.DataFrame | None = None) -> DecimalEvidence:
    """Collect what cells say about the decimal sign: of the sample, or odd ones of all rows."""
    found = DecimalEvidence()
    for place in range(dialect.width if frame is None else frame.shape[1]):
        cells = dialect.numbered(place)
        if frame is not None and not pd.api.types.is_numeric_dtype(frame[place].dtype):
            step = max(len(frame) // _EVIDENCE_CELLS, 1)
            spread = enumerate(frame[place].iloc[::step].to_numpy())
            first = dialect.skip + 1
            cells = [(first + at * step, cell) for at, cell in spread if isinstance(cell, str)]
        if majority([cell for _, cell in cells]) == "number":
            found.add_column(_name(dialect, place), cells)
    return found


def _late_evidence(path: Path, dialect: Dialect, frame: pd.DataFrame) -> DecimalEvidence:
    """Collect what points after the sample say, if they were read as decimal points."""
    found = DecimalEvidence()
    places = [
        place
        for place in range(frame.shape[1])
        if pd.api.types.is_float_dtype(frame[place].dtype)
        and bool((np.floor(frame[place]) < frame[place]).any())
    ]
    if places:
        width = frame.shape[1]
        texts = _parse(path, dialect, width, ".", dtype=str, usecols=places, on_bad_lines="skip")
        for place in places:
            rows = np.flatnonzero(texts[place].notna().to_numpy())
            step = max(len(rows) // _EVIDENCE_CELLS, 1)
            pointed = texts[place].str.contains(".", regex=False, na=False).to_numpy()
            chosen = np.union1d(rows[::step], np.flatnonzero(pointed)[:_EVIDENCE_CELLS])
            cells = texts[place].to_numpy()
            found.add_column(
                _name(dialect, place), [(dialect.skip + 1 + int(row), cells[row]) for row in chosen]
            )
    return found


def _name(dialect: Dialect, place: int) -> str:
    return dialect.names[place] if place < len(dialect.names) else f"column {place + 1}"


def _load_fast(path: Path, dialect: Dialect, decimal: Decimal) -> Loaded | None:
    """Read with a given type for every column; None if a cell does not have it."""
    numbers = [place for place, kind in enumerate(dialect.kinds) if kind == "number"]
    if not all(_is_plain(cell, decimal) for place in numbers for cell in dialect.column(place)):
        return None
    dates, missing = _date_types(dialect), dict.fromkeys(numbers, _MISSING_SPELLINGS)
    types: dict[int, object] = {place: dates.get(place, str) for place in range(dialect.width)}
    types |= dict.fromkeys(numbers, np.float64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = _parse(path, dialect, dialect.width, decimal, dtype=types, na_values=missing)
    except (ValueError, OverflowError, pd.errors.ParserWarning):  # a ParserError is a ValueError
        return None
    return None if any(_is_cut_off(frame[place]) for place in dates) else (frame, ())


def _date_types(dialect: Dialect) -> dict[int, str]:
    """Return the columns of ASCII dates, which are read as bytes: a third of the memory of str."""
    dates = [place for place, kind in enumerate(dialect.kinds) if kind == "date"]
    cells = {place: dialect.column(place) for place in dates}
    return {
        place: f"S{max(map(len, texts)) + _SPARE_BYTES}"
        for place, texts in cells.items()
        if all(text.isascii() for text in texts)
    }


def _load_careful(
    path: Path,
    dialect: Dialect,
    decimal: Decimal,
    *,
    width: int | None = None,
    dates_as_text: bool = False,
) -> Loaded:
    """Read every column as what all of its cells allow: plain numbers, dates, or text."""
    types = {} if dates_as_text else _date_types(dialect)
    # NA only means "missing" among numbers; as a label it may be Namibia.
    numeric = [place for place, kind in enumerate(dialect.kinds) if kind in {"number", "missing"}]
    options = {"na_values": dict.fromkeys(numeric, _MISSING_SPELLINGS), "low_memory": False}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", pd.errors.ParserWarning)
        try:
            frame = _parse(
                path,
                dialect,
                width or dialect.width,
                decimal,
                dtype=types,
                on_bad_lines="warn",
                **options,
            )
        except (ValueError, OverflowError) as error:
            raise _broken(str(error)) from error
    if any(_is_cut_off(frame[place]) for place in types):
        return _load_careful(path, dialect, decimal, width=width, dates_as_text=True)
    skipped = tuple(_longer_rows(str(warning.message) for warning in caught))
    if width is None and len(skipped) > max(_MANY_BAD * len(frame), 1):
        if dialect.delimiter == "," and not dialect.delimiter_told:
            longer = _records(path, [entry.row for entry in skipped])
            check_rows(longer, dialect.width, others=len(frame))
        widest = min(max(entry.cells for entry in skipped), dialect.width * 4)
        return _load_careful(path, dialect, decimal, width=widest, dates_as_text=dates_as_text)
    return frame, skipped


def _longer_rows(messages: Iterable[str]) -> Iterator[SkippedRow]:
    """Return the rows that pandas has left out because they have too many cells."""
    for message in messages:
        for row, expected, cells in _SKIPPED.findall(message):
            reason = f"more cells than the {expected} of the table"
            yield SkippedRow(row=int(row), reason=reason, cells=int(cells))


def _broken(message: str) -> FileProblem:
    opened = re.search(r"EOF inside string starting at row (\d+)", message)
    if opened is None:
        message = message.removeprefix("Error tokenizing data. C error: ")
        return FileProblem(f"the rows cannot be split into cells: {message}")
    row = int(opened[1]) + 1
    message = (
        f'a quote is opened in row {row} and never closed; close it, or double it ("") where it '
        "belongs to the cell"
    )
    return FileProblem(message, row=row)


def _records(path: Path, rows: list[int]) -> list[tuple[int, Record]]:
    """Return the first of these rows with their original cells."""
    wanted = set(rows[:_EVIDENCE_CELLS])
    found: list[tuple[int, Record]] = []
    with path.open(encoding="utf-8", newline="") as file, suppress(csv.Error):
        for row, record in enumerate(csv.reader(file), start=1):
            if row in wanted:
                found.append((row, record))
                if len(found) == len(wanted):
                    break
    return found


def _parse(
    path: Path, dialect: Dialect, width: int, decimal: Decimal, **more: object
) -> pd.DataFrame:
    arguments: dict[str, Any] = {
        "sep": r"\s+" if dialect.delimiter == " " else dialect.delimiter,
        "header": None,
        "names": range(width),
        "skiprows": dialect.skip,
        "keep_default_na": False,
        "skip_blank_lines": False,  # otherwise rows could not be found by number
        "decimal": decimal,
        "compression": None,
        "encoding": "utf-8",
        "engine": "c",
        **more,
    }
    frame: pd.DataFrame = pd.read_csv(path, **arguments)
    return frame


def _is_cut_off(column: "pd.Series[Any]") -> bool:
    """Return whether a cell is longer than the type given to its column."""
    packed = np.ascontiguousarray(column.to_numpy())
    return bool(packed.view(np.uint8).reshape(len(packed), -1)[:, -1].any())


def _is_plain(cell: str, decimal: Decimal) -> bool:
    text = cell if decimal == "." else cell.replace(".", "x").replace(",", ".")
    return text in _MISSING_SPELLINGS or _PLAIN.fullmatch(text) is not None


def _columns(frame: pd.DataFrame, dialect: Dialect) -> tuple[Column, ...]:
    return tuple(
        replace(
            _column(_name(dialect, place), frame[place]),
            sample=tuple(dialect.column(place)[:SAMPLE_CELLS]),
        )
        for place in range(frame.shape[1])
    )


def _column(name: str, column: "pd.Series[Any]") -> Column:
    kind = column.dtype
    if isinstance(kind, np.dtypes.BytesDType):
        packed = Column(name=name, cells=column.to_numpy())
        is_ascii = int(np.ascontiguousarray(packed.cells).view(np.uint8).max(initial=0)) < 128
        return packed if is_ascii else Column(name=name, cells=packed.texts())
    if pd.api.types.is_bool_dtype(kind) or pd.api.types.is_numeric_dtype(kind):
        numbers = column.to_numpy(dtype=np.float64)
        if not np.isfinite(numbers).all():
            numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        return Column(name=name, numbers=numbers)
    cells = np.array(column.to_numpy(dtype=object))
    cells[column.isna().to_numpy()] = None
    if column.dtype == object:  # whole numbers that are too long for any integer type
        cells = np.array([None if cell is None else str(cell) for cell in cells], dtype=object)
    return Column(name=name, cells=cells)


def _row_numbers(dialect: Dialect, count: int, skipped: tuple[SkippedRow, ...]) -> Ints:
    """Return the row in the file of each row, from 1."""
    rows = np.arange(count + len(skipped), dtype=np.int64) + dialect.skip + 1
    left_out = [entry.row for entry in skipped]
    return np.setdiff1d(rows, left_out, assume_unique=True)[:count] if skipped else rows
