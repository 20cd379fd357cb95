"""Group the cells of a column by their shape: digits as 0, letters as a, other signs unchanged.

A column of a million dates has only a handful of shapes. A rule is decided once per shape and
applied to all its cells together.
"""

import calendar
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from app.reading.arrays import Bytes, Cells, Packed, Places
from app.reading.vocabulary import MONTH_NUMBERS, NOTATIONS, folded

WIDTH = 80  # bytes of a cell that are examined; a longer cell is not a date
CHUNK_ROWS = 65_536
_BLOCK_ROWS = 64


def _classes(*, letters: bool) -> bytes:
    table = np.arange(256, dtype=np.uint8)
    table[ord("0") : ord("9") + 1] = ord("0")
    if letters:
        table[ord("a") : ord("z") + 1] = ord("a")
        table[ord("A") : ord("Z") + 1] = ord("a")
    table[[9, 10, 11, 12, 13]] = ord(" ")
    return table.tobytes()


_SHAPES = _classes(letters=True)
_FORMS = _classes(letters=False)
# Any fixed odd 64-bit factors tell shapes apart; collisions are found by comparing afterwards.
_FACTORS = np.random.default_rng(20170103).integers(1, 2**62, WIDTH, dtype=np.int64) | 1


@dataclass(frozen=True, kw_only=True)
class ShapeGroup:
    """The cells of one shape."""

    shape: str
    rows: Places  # positions in the column
    place: slice | Places  # the same, as a slice if they are consecutive
    text: Bytes  # (cells, width) bytes, zero padded


def shape_groups(cells: Cells) -> Iterator[ShapeGroup]:
    """Group cells by shape, in blocks of rows; empty and missing cells are left out."""
    return _groups(cells, _SHAPES, _ascii_forms)


def form_groups(cells: Cells) -> Iterator[ShapeGroup]:
    """Group cells by form, in which only digits are replaced and other signs stay, in UTF-8."""
    return _groups(cells, _FORMS, None)


def _groups(
    cells: Cells, classes: bytes, plain: Callable[[list[str]], list[str]] | None
) -> Iterator[ShapeGroup]:
    for start in range(0, len(cells), CHUNK_ROWS):
        part = cells[start : start + CHUNK_ROWS]
        text = _as_bytes(part, plain)
        groups = _shapes(text, classes)
        if any(shape != shape.strip() for shape, _ in groups):
            text = _matrix(np.strings.strip(text.view(np.dtype(f"S{text.shape[1]}")).ravel()))
            groups = _shapes(text, classes)
        for shape, rows in groups:
            # The rows are in order: all of them together are the unchanged text.
            is_whole = len(rows) == len(text)
            place = slice(start, start + len(text)) if is_whole else rows + start
            own = text if is_whole else text[rows]
            yield ShapeGroup(shape=shape, rows=rows + start, place=place, text=own)


_ASIAN_DATES = tuple(
    (re.compile(pattern), spelled) for pattern, spelled in NOTATIONS["asian_dates"].items()
)
_ERAS: dict[str, int] = NOTATIONS["eras"]  # the year before the first of each
_ERA_YEAR = re.compile(rf"({'|'.join(_ERAS)}) *(\d{{1,3}}|元)")
# Includes the marks of Thai and Arabic, which are not letters, and the dots of abbreviations.
_ANY_WORD = re.compile(
    r"(?:[^\W\d_]|[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u064b-\u0652])(?:[^\W\d_]|[.\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u064b-\u0652])*"
)
_BETWEEN = "\x01"  # between cells that are rewritten together; does not occur in text files


def ascii_form(text: str) -> str:
    """Return the cell in ASCII: without accents, months of any script as Jan, other signs as ``?``.

    East Asian dates get hyphens and colons, and years of an era become years of our calendar.
    """
    return _ascii_forms([text])[0]


def _ascii_forms(texts: list[str]) -> list[str]:
    joined = _BETWEEN.join(text.strip() for text in texts)
    if joined.isascii():
        return joined.split(_BETWEEN)
    joined = unicodedata.normalize("NFKC", joined).replace("\u2212", "-")
    digits = {sign for sign in set(joined) if sign.isdigit() and not sign.isascii()}
    joined = joined.translate({ord(sign): str(unicodedata.digit(sign)) for sign in digits})
    joined = _ERA_YEAR.sub(
        lambda match: str(_ERAS[match[1]] + int(match[2].replace("元", "1"))), joined
    )
    for pattern, spelled in _ASIAN_DATES:
        joined = pattern.sub(spelled, joined)
    joined = _ANY_WORD.sub(_month_name, joined)
    if not joined.isascii():
        joined = folded(joined)
    return [part.strip() for part in joined.encode("ascii", "replace").decode().split(_BETWEEN)]


def names_era(cell: str) -> bool:
    """Return whether the cell counts its year by a named East Asian era."""
    return _ERA_YEAR.search(cell) is not None


def _month_name(match: re.Match[str]) -> str:
    word = folded(match[0])
    month = MONTH_NUMBERS.get(word) or MONTH_NUMBERS.get(word.rstrip("."))
    if month is None or word.isascii():
        return match[0]
    return calendar.month_abbr[month]


def _as_bytes(part: Cells, plain: Callable[[list[str]], list[str]] | None) -> Bytes:
    if isinstance(part.dtype, np.dtypes.BytesDType):
        return _matrix(np.asarray(part, dtype=part.dtype))
    texts = [cell.strip()[:WIDTH] if isinstance(cell, str) else "" for cell in part]
    try:
        packed = np.array(texts, dtype=np.bytes_)
    except UnicodeEncodeError:
        data = texts if plain is None else plain(texts)
        packed = np.array([text.encode()[:WIDTH] for text in data], dtype=np.bytes_)
    return _matrix(packed)


def _matrix(part: Packed) -> Bytes:
    width = min(part.dtype.itemsize, WIDTH)
    packed = np.ascontiguousarray(part, dtype=f"S{width}")
    return packed.view(np.uint8).reshape(len(packed), width)  # (cells, width)


def _shapes(text: Bytes, classes: bytes) -> list[tuple[str, Places]]:
    """Return the shapes of the cells that are not empty, each with its rows."""
    if _is_regular(text):
        shape = _name(_classified(text[:1], classes)[0])
        return [(shape, np.arange(len(text)))] if shape else []
    return [(shape, rows) for shape, rows in _split(_classified(text, classes)) if shape]


def _is_regular(text: Bytes) -> bool:
    """Return whether all cells have digits in the same places and equal signs in the others.

    It only looks at the extremes of each place, which is ten times as fast as classifying cells.
    """
    rows, width = len(text) // _BLOCK_ROWS * _BLOCK_ROWS, text.shape[1]
    if not rows:
        return False
    blocks = text[:rows].reshape(-1, _BLOCK_ROWS * width)  # long rows, which NumPy reduces faster
    low, high = (
        extreme.reduce(
            np.concatenate([extreme.reduce(blocks).reshape(_BLOCK_ROWS, width), text[rows:]])
        )
        for extreme in (np.minimum, np.maximum)
    )
    return bool(((low == high) | ((low >= ord("0")) & (high <= ord("9")))).all())


def _classified(text: Bytes, classes: bytes) -> Bytes:
    # Three times as fast as looking up each byte with NumPy.
    return np.frombuffer(text.tobytes().translate(classes), dtype=np.uint8).reshape(text.shape)


def _split(classes: Bytes) -> Iterator[tuple[str, Places]]:
    if not len(classes):
        return
    if bool((classes == classes[0]).all()):
        yield _name(classes[0]), np.arange(len(classes))
        return
    marks = classes.astype(np.int64) @ _FACTORS[: classes.shape[1]]  # wraps around, as in a hash
    _, first, inverse = np.unique(marks, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    ends = np.searchsorted(inverse[order], np.arange(len(first)), side="right")
    for group, end in enumerate(ends):
        rows = order[ends[group - 1] if group else 0 : end]
        same = (classes[rows] == classes[first[group]]).all(axis=1)
        yield _name(classes[first[group]]), rows[same]
        if not same.all():
            yield from ((name, rows[~same][at]) for name, at in _split(classes[rows[~same]]))


def _name(classes: Bytes) -> str:
    return classes.tobytes().rstrip(b"\0").decode("utf-8", "replace")
