"""How the table in a text file is laid out: delimiter, header, where its rows begin."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from app.reading.columns.cell_types import CellKind, cell_kind, majority
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem
from app.reading.table.delimiter import Record, Split, choose_delimiter, split_sample
from app.reading.table.split_numbers import check_sample

SAMPLE_CHARACTERS = 1 << 18
MAX_COLUMNS = 10_000
_EXCEL_HINT = re.compile(r"sep=.?", re.IGNORECASE)  # a first line that Excel writes and obeys


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The layout of a table, as far as a sample of it shows."""

    delimiter: str  # NO_DELIMITER for a single column, " " for runs of blanks
    names: tuple[str, ...]  # the header's cells, stripped; made up where there is none
    header_row: int | None  # in the file, from 1; None: there is no header
    skip: int  # rows of the file before the first row of data
    width: int  # cells in a row
    body: tuple[Record, ...]  # the sample's rows of data
    delimiter_reason: str
    header_reason: str
    equally_good: tuple[str, ...]  # other delimiters that would do as well
    delimiter_told: bool  # by the user


def read_sample(path: Path) -> str:
    """The first lines of a UTF-8 text file."""
    with path.open(encoding="utf-8", newline="") as file:
        sample = file.read(SAMPLE_CHARACTERS)
    if len(sample) < SAMPLE_CHARACTERS or "\n" not in sample:
        return sample
    return sample[: sample.rindex("\n") + 1]


def find_dialect(sample: str, options: ReadOptions) -> Dialect | None:
    """Finds the layout of a table in the first part of a file; None: it is no table.

    Raises:
        FileProblem: thousands separators split its numbers, or it has absurdly many columns.
    """
    choice = choose_delimiter(sample, options.delimiter, decimal=options.decimal)
    if options.delimiter is None and (choice is None or choice.split.delimiter == ","):
        check_sample(split_sample(sample, ","), may_be_text=choice is None)
    if choice is None or not choice.split.records:
        return None
    return dialect_of(
        choice.split,
        told=options.header,
        reason=choice.reason,
        equally_good=choice.equally_good,
        delimiter_told=options.delimiter is not None,
    )


def dialect_of(
    split: Split,
    *,
    told: bool | None,
    reason: str = "",
    equally_good: tuple[str, ...] = (),
    delimiter_told: bool = False,
) -> Dialect | None:
    """Finds the header of a sample that is split into cells; None: there are no rows of data.

    Args:
        split: the sample.
        told: whether there is a header, where the user said so.
        reason: why it was split so.
        equally_good: other delimiters that would do as well.
        delimiter_told: whether the user named the delimiter.

    Raises:
        FileProblem: it has absurdly many columns.
    """
    records = [
        [] if _EXCEL_HINT.fullmatch(split.delimiter.join(record)) else record
        for record in split.records
    ]
    kinds = _column_kinds(records, split.width)
    start = next((at for at, record in enumerate(records) if _fits(record, kinds, split)), 0)
    why = "its cells differ in kind from those below"
    titles_alone = all(_names_in(record) * 2 < split.width for record in records[:start])
    if titles_alone and _counts_up(records[start:], kinds):
        start, why = start + 1, "its cells count up, those below do not"
    if start == 0 and not any(kind in {"number", "date"} for kind in kinds):
        start, why = 1, "a table of words is taken to have a header"
    if told is True:
        start, why = max(start, 1), "as `read` says"
    header = None if told is False else _header_among(records[:start], split.width)
    body = records[start:]
    if not body:
        return None
    if split.width > MAX_COLUMNS:
        raise FileProblem(f"the table has {split.width:,} columns; up to {MAX_COLUMNS:,} are read")
    width = max(split.width, len(body[0]))  # a longer first row would pass for an index to pandas
    return Dialect(
        delimiter=split.delimiter,
        names=_names([] if header is None else records[header], width, body),
        header_row=None if header is None else split.places[header] + 1,
        skip=split.places[start],
        width=width,
        body=tuple(body),
        delimiter_reason=reason,
        header_reason="the first row is like the others" if header is None else why,
        equally_good=equally_good,
        delimiter_told=delimiter_told,
    )


def _column_kinds(records: list[Record], width: int) -> list[CellKind]:
    lower = records[len(records) // 2 :]
    return [
        majority([record[place] for record in lower if len(record) > place])
        for place in range(width)
    ]


def _fits(record: Record, kinds: list[CellKind], split: Split) -> bool:
    """Whether a row has dates where the column has dates, and numbers where it has numbers."""
    if len(record) < split.width - 1 and split.width > 2:
        return False
    firm = [
        (cell_kind(cell), kind)
        for cell, kind in zip(record, kinds, strict=False)
        if kind in {"number", "date", "clock"}
    ]
    agreeing = [have == kind for have, kind in firm if have != "missing"]
    if not agreeing:
        return not firm and record is not split.records[0]
    dated = [have == kind for have, kind in firm if kind == "date"]
    return (any(dated) or not dated) and sum(agreeing) * 2 > len(agreeing)


def _counts_up(records: list[Record], kinds: list[CellKind]) -> bool:
    """Whether the first row counts on from cell to cell, as no row of data does."""
    if len(records) < 2:
        return False

    def counting(record: Record) -> bool:
        cells = [
            cell.strip() for cell, kind in zip(record, kinds, strict=False) if kind == "number"
        ]
        numbers = [int(cell) for cell in cells if cell.isdigit() and len(cell) <= 4]
        steps = {after - before for before, after in pairwise(numbers)}
        named = sum(cell_kind(cell) == "text" for cell in cells)
        enough = len(numbers) > 2  # two count up by chance
        return enough and len(numbers) + named == len(cells) and steps == {1}

    return counting(records[0]) and not counting(records[1])


def _header_among(records: list[Record], width: int) -> int | None:
    """Where, above the data, the row of names stands: the one with the most different cells."""
    wide = [place for place, record in enumerate(records) if len(record) <= max(width, 1) * 2]
    if not wide:
        return None
    best = max(wide, key=lambda place: _names_in(records[place]))
    names = _names_in(records[best])
    return best if names > 1 or (names and width <= 2) else None


def _names_in(record: Record) -> int:
    return len({cell.strip() for cell in record if cell.strip()})


def _names(header: Record, width: int, body: list[Record]) -> tuple[str, ...]:
    cells = [" ".join(cell.split()) for cell in header]
    # Rows of this width that hold something to the end, and not stray cells or delimiters.
    full = sum(len(record) == width and bool(record[-1].strip()) for record in body)
    if len(cells) == width - 1 and all(cells) and full * 2 > len(body):
        cells = ["", *cells]  # R leaves the name of the row names out
    cells = (cells + [""] * width)[:width]
    return unique_names(cells)


def unique_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Names for columns: the header's, numbered where one comes twice or is missing."""
    names: dict[str, None] = {}
    for place, cell in enumerate(cells, start=1):
        name, again = cell or f"column {place}", 1
        while name in names:
            again += 1
            name = f"{cell or f'column {place}'} ({again})"
        names[name] = None
    return tuple(names)
