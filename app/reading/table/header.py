"""Find the rows of names above the data, and make one name for each column."""

import re
from collections.abc import Sequence
from itertools import pairwise

from app.reading.columns.cell_types import CellKind, cell_kind, majority
from app.reading.table.delimiter import Record, Split
from app.reading.vocabulary import sounds_like_time

_PAIR = 2  # number of columns
_NEAR = 2  # rows above or below the names that may belong to them
_LONGEST_COUNT = 8  # digits of a number in a header that counts, such as 20170103
_IS_DATE = re.compile(r"(?:1[5-9]|2[01])\d\d(?:\d\d){0,2}$")  # digits of a year, a month or a day
_YEAR_DIGITS = 4


def column_kinds(records: list[Record], width: int) -> list[CellKind]:
    """Return the type of most cells in each column, in the second half of the sample."""
    lower = records[len(records) // 2 :]
    return [
        majority([record[place] for record in lower if len(record) > place])
        for place in range(width)
    ]


def first_data_row(records: list[Record], kinds: list[CellKind], split: Split) -> tuple[int, str]:
    """Return the position of the first data row, and why the rows above are not data."""
    start = next((at for at, record in enumerate(records) if _fits(record, kinds, split)), 0)
    while start and _is_bad_row(records[start - 1], kinds, is_first=start == 1):
        start -= 1
    why = "its cells differ in type from those below"
    titles_alone = all(_names_in(record) * 2 < split.width for record in records[:start])
    if titles_alone and _counts_up(records[start:], kinds):
        return start + 1, "its cells count up, those below do not"
    if start == 0 and not any(kind in {"number", "date"} for kind in kinds):
        return 1, "a table of words is taken to have a header"
    return start, why


def header_row(records: list[Record], width: int) -> int | None:
    """Return the position of the row of names: above the data, with the most different cells."""
    wide = [place for place, record in enumerate(records) if len(record) <= max(width, 1) * 2]
    if not wide:
        return None
    best = max(
        wide,
        key=lambda place: (
            _names_in(records[place]),
            sum(bool(cell.strip()) for cell in records[place]),
            -sum(cell_kind(cell) in {"number", "date"} for cell in records[place]),
            sounds_like_time("".join(records[place][:1])),
        ),
    )
    names = _names_in(records[best])
    return best if names > 1 or (names and width <= _PAIR) else None


def column_names(
    records: list[Record], best: int | None, width: int, body: list[Record]
) -> list[str]:
    """Return the names of the columns, joined from several rows if one is not unique.

    Args:
        records: the rows above the data.
        best: the row of names among them.
        width: how many columns there are.
        body: the rows of data.
    """
    if best is None:
        return list(unique_names([""] * width))
    rows = [_spread(record, width, body) for record in records]
    base = rows[best]
    joined = [
        place
        for place, row in enumerate(rows)
        if place == best
        or (abs(place - best) <= _NEAR and _tells_apart(row, base, above=place < best))
    ]
    names = []
    for column in range(width):
        parts = dict.fromkeys(rows[place][column] for place in joined if rows[place][column])
        below = [row[column] for row in rows[best + 1 :] if sum(map(bool, row)) == 1]
        names.append(next(filter(None, below), " ".join(parts)))
    return list(unique_names(names))


def unique_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Return names for columns: the header's, numbered if one is repeated or missing."""
    names: dict[str, None] = {}
    for place, cell in enumerate(cells, start=1):
        name, again = cell or f"column {place}", 1
        while name in names:
            again += 1
            name = f"{cell or f'column {place}'} ({again})"
        names[name] = None
    return tuple(names)


def _spread(record: Record, width: int, body: list[Record]) -> list[str]:
    """Return the cells of a header row, one for each column."""
    cells = [" ".join(cell.split()) for cell in record]
    # Rows of this width that are filled to the end, instead of stray cells or delimiters.
    full = sum(len(row) == width and bool(row[-1].strip()) for row in body)
    if len(cells) == width - 1 and all(cells) and full * 2 > len(body):
        cells = ["", *cells]  # R omits the name of the row names
    return (cells + [""] * width)[:width]


def _tells_apart(row: list[str], base: list[str], *, above: bool) -> bool:
    """Return whether a row belongs to the names: merged cells, or one that makes them unique."""
    filled = [cell for cell in row[1:] if cell]
    if len(set(filled)) < _PAIR:
        return False
    has_blanks = any(name and not cell for name, cell in zip(base[1:], row[1:], strict=True))
    if above and has_blanks and (not row[0] or base[0] in {"", row[0]}):
        _spread_merged(row, base)
        return True
    if not above and any(cell and not name for name, cell in zip(base[1:], row[1:], strict=True)):
        _spread_merged(base, row)  # the merged cells are in the row with the most names
    repeated = len(set(filter(None, base))) < len([cell for cell in base if cell])
    return repeated and len(filled) * 2 > len(row)


def _spread_merged(row: list[str], other: list[str]) -> None:
    """Repeat each cell over the following blanks, as far as the other row has cells."""
    last = ""
    for place, cell in enumerate(row):
        last = cell or last
        row[place] = last if other[place] else cell


def _fits(record: Record, kinds: list[CellKind], split: Split) -> bool:
    """Return whether a row has dates and numbers in the same columns as the data."""
    if len(record) < split.width - 1 and split.width > _PAIR:
        return False
    firm = [
        (_kind_beside(cell, kind), kind)
        for cell, kind in zip(record, kinds, strict=False)
        if kind in {"number", "date", "clock"}
    ]
    agreeing = [have == kind for have, kind in firm if have != "missing"]
    if not agreeing:
        return not firm and record is not split.records[0]
    dated = [have == kind for have, kind in firm if kind == "date"]
    return (any(dated) or not dated) and sum(agreeing) * 2 > len(agreeing)


def _is_bad_row(record: Record, kinds: list[CellKind], *, is_first: bool) -> bool:
    """Whether a row above the data lacks only its date or its numbers: it must not go unnoticed."""
    have = [(cell_kind(cell), kind) for cell, kind in zip(record, kinds, strict=False)]
    numbers = [own for own, kind in have if kind == "number"]
    dates = [own for own, kind in have if kind == "date"]
    if "date" in dates:
        return len(numbers) > 0
    numbered = "number" in numbers and set(numbers) <= {"number", "missing"}
    return numbered and set(dates) == {"text"} and not is_first  # a header may hold numbers


def _kind_beside(cell: str, kind: CellKind) -> CellKind:
    """Return the type of a cell; the year of an annual row is a date among months and quarters."""
    text = cell.strip()
    is_year = kind == "date" and text.isdigit() and len(text) == _YEAR_DIGITS
    return "date" if is_year else cell_kind(cell)


def _counts_up(records: list[Record], kinds: list[CellKind]) -> bool:
    """Return whether the first row counts from cell to cell, as no data row does."""

    def counting(record: Record) -> bool:
        cells = [
            cell.strip() for cell, kind in zip(record, kinds, strict=False) if kind == "number"
        ]
        digits = [cell for cell in cells if cell.isdigit() and len(cell) <= _LONGEST_COUNT]
        steps = {int(after) - int(before) for before, after in pairwise(digits)}
        named = sum(cell_kind(cell) == "text" for cell in cells)
        dates = len({len(cell) for cell in digits}) == 1 and all(map(_IS_DATE.match, digits))
        if len(digits) <= _PAIR or len(digits) + named != len(cells):
            return False
        return steps == {1} or (dates and min(steps) * max(steps) > 0)

    return len(records) >= _PAIR and counting(records[0]) and not counting(records[1])


def _names_in(record: Record) -> int:
    return len({cell.strip() for cell in record if cell.strip()})
