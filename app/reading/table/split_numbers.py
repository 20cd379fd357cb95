"""Recognise numbers that are split into cells: 1,234.5 without quotes between commas."""

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile

from app.reading.columns.cell_types import cell_kind
from app.reading.report import FileProblem
from app.reading.table.delimiter import Record, Split

# The beginning of a cell, and the following cells of three digits each.
_PARTED = re.compile(r"(?<![^,])[-+(]?[$€£¥]?([1-9]\d{0,2})((?:,\d{3})+)(?![\d/:-])[^,]*", re.ASCII)
_MANY = 0.01  # share of the rows; fewer are strays, which are left out and reported
_NEARLY_ALL = 0.9
_CONSISTENT = 0.7  # share of the rows that are as wide as the header when they are joined


def check_sample(split: Split, *, may_be_text: bool) -> None:
    """Refuse rows that are longer than their header because of thousands separators.

    Args:
        split: at the comma.
        may_be_text: no delimiter was found: the lines below one cell are lines of a text.

    Raises:
        FileProblem: there are many; names the first, and what would be right.
    """
    heads = list(takewhile(_is_of_words, split.records))
    if not heads:
        return
    width = len(max(heads, key=lambda record: len({cell.strip() for cell in record} - {""})))
    if width == 1 and may_be_text:
        return
    rows = [place + 1 for place in split.places[len(heads) :]]
    check_rows(list(zip(rows, split.records[len(heads) :], strict=True)), width)


def check_rows(rows: Sequence[tuple[int, Record]], width: int, *, others: int = 0) -> None:
    """Check any rows in the same way.

    Args:
        rows: row in the file, from 1, and cells of each.
        width: number of cells that a row should have.
        others: number of further rows with that width.

    Raises:
        FileProblem: there are many; names the first, and what would be right.
    """
    sizes = [_filled(record, width) for _, record in rows]
    longer = [place for place, size in enumerate(sizes) if size > width]
    parted = {
        place: found
        for place in longer
        if (found := _numbers_in(rows[place][1])) and _seams(found) >= sizes[place] - width
    }
    count = len(rows) + others
    right = sizes.count(width) + others
    many = len(parted) > max(_MANY * count, 1) or 0 in parted
    put_together = right + len(parted) >= _CONSISTENT * count
    if not many or not put_together or len(parted) < _NEARLY_ALL * len(longer):
        return
    # If all rows are longer, they may have a column without a name, such as R's row names.
    if right <= max(_MANY * count, 1) and not _are_thousands(parted.values()):
        return
    clear = [place for place, found in parted.items() if _seams(found) == sizes[place] - width]
    first = clear[0] if clear else min(parted)
    row, number = rows[first][0], parted[first][0][0]
    message = (
        f"row {row} has {sizes[first]} cells instead of {width}: the comma stands between cells "
        f'and in numbers too, as in {number}. Put such numbers in quotes ("{number}"), write them '
        f"without the comma ({number.replace(',', '')}), or put another delimiter between the "
        'cells. If they are cells of their own, set "delimiter" in `read` to a comma'
    )
    raise FileProblem(message, row=row)


def _is_of_words(record: Record) -> bool:
    return all(cell_kind(cell) in {"text", "missing"} for cell in record)


def _filled(record: Record, width: int) -> int:
    """Return the number of cells, without empty ones after the first `width`."""
    size = len(record)
    while size > width and not record[size - 1].strip():
        size -= 1
    return size


def _numbers_in(record: Record) -> list[tuple[str, str, str]]:
    """Return possible numbers: each as a whole, its first digits, and its groups of three."""
    line = ",".join(cell.replace(",", " ") for cell in record)
    return [(match[0].strip(), match[1], match[2]) for match in _PARTED.finditer(line)]


def _seams(found: Iterable[tuple[str, str, str]]) -> int:
    return sum(groups.count(",") for _, _, groups in found)


def _are_thousands(parted: Iterable[list[tuple[str, str, str]]]) -> bool:
    """Return whether they cannot be separate numbers: a leading 0, or 1 in all rows."""
    found = list(parted)
    heads = {head for row in found for _, head, _ in row}
    return len(heads) == 1 or any(",0" in groups for row in found for _, _, groups in row)
