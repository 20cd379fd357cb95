"""Cells seen by their shape: digits as 0, letters as a, the rest as it is.

A column of a million dates has a handful of shapes, so that a rule is decided once per shape and
carried out on all its cells at once.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WIDTH = 48  # bytes of a cell that are looked at; a longer cell is no date and no number
CHUNK_ROWS = 65_536

Cells = npt.NDArray[np.object_] | npt.NDArray[np.bytes_]
Bytes = npt.NDArray[np.uint8]


def _classes() -> Bytes:
    table = np.arange(256, dtype=np.uint8)
    table[ord("0") : ord("9") + 1] = ord("0")
    table[ord("a") : ord("z") + 1] = ord("a")
    table[ord("A") : ord("Z") + 1] = ord("a")
    table[[9, 10, 11, 12, 13]] = ord(" ")
    return table


_CLASSES = _classes().tobytes()
# Any fixed odd 64-bit factors tell shapes apart; a collision is found by comparing afterwards.
_FACTORS = np.random.default_rng(20170103).integers(1, 2**62, WIDTH, dtype=np.int64) | 1


@dataclass(frozen=True, kw_only=True)
class ShapeGroup:
    """The cells of one shape."""

    shape: str
    rows: npt.NDArray[np.intp]  # their positions in the column
    text: Bytes  # (cells, width) their bytes, zero padded


def shape_groups(cells: Cells) -> Iterator[ShapeGroup]:
    """Sorts cells by shape, a stretch of rows at a time; empty and missing cells are left out."""
    for start in range(0, len(cells), CHUNK_ROWS):
        part = cells[start : start + CHUNK_ROWS]
        text = _as_bytes(part)
        groups = [(shape, rows) for shape, rows in _split(_classified(text)) if shape]
        if any(shape != shape.strip() for shape, _ in groups):
            text = _matrix(np.strings.strip(text.view(np.dtype(f"S{text.shape[1]}")).ravel()))
            groups = [(shape, rows) for shape, rows in _split(_classified(text)) if shape]
        for shape, rows in groups:
            # Rows come in order: all of them are the text as it is.
            own = text if len(rows) == len(text) else text[rows]
            yield ShapeGroup(shape=shape, rows=rows + start, text=own)


def ascii_form(text: str) -> str:
    """The cell in ASCII: accents dropped, wide and hard blanks as blanks, other signs as ``?``."""
    if text.isascii():
        return text.strip()
    plain = unicodedata.normalize("NFKD", text.strip())
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return plain.replace("\u2212", "-").encode("ascii", "replace").decode()


def _as_bytes(part: Cells) -> Bytes:
    if isinstance(part.dtype, np.dtypes.BytesDType):
        return _matrix(np.asarray(part, dtype=part.dtype))
    texts = [cell.strip()[:WIDTH] if isinstance(cell, str) else "" for cell in part]
    try:
        packed = np.array(texts, dtype=np.bytes_)
    except UnicodeEncodeError:
        packed = np.array([ascii_form(text)[:WIDTH] for text in texts], dtype=np.bytes_)
    return _matrix(packed)


def _matrix(part: npt.NDArray[np.bytes_]) -> Bytes:
    width = min(part.dtype.itemsize, WIDTH)
    packed = np.ascontiguousarray(part, dtype=f"S{width}")
    return packed.view(np.uint8).reshape(len(packed), width)  # (cells, width)


def _classified(text: Bytes) -> Bytes:
    # Three times as fast as looking each byte up by NumPy.
    return np.frombuffer(text.tobytes().translate(_CLASSES), dtype=np.uint8).reshape(text.shape)


def _split(classes: Bytes) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
    if not len(classes):
        return
    if bool((classes == classes[0]).all()):
        yield _name(classes[0]), np.arange(len(classes))
        return
    marks = classes.astype(np.int64) @ _FACTORS[: classes.shape[1]]  # wraps around, as a hash may
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
    return classes.tobytes().rstrip(b"\0").decode("latin-1")
