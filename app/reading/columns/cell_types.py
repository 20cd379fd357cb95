"""Classify single cells, to judge a sample of a file."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from app.reading.columns.cell_shapes import WIDTH, ascii_form
from app.reading.columns.date_patterns import clock_pattern, date_patterns
from app.reading.columns.dates import read_clocks, read_dates
from app.reading.columns.numbers import is_missing, parse_number

CellKind = Literal["missing", "number", "date", "clock", "text"]

_DIGITS = str.maketrans("123456789", "000000000")
_LONGEST = 100  # characters of a cell that may be something other than text
# Dates that are also numbers; only the whole column shows whether they are dates.
_NUMERIC_DATES = {"serial", "unix", "year"}
_MOST_MONTHS = 12
_MOST_DAYS = 31


@lru_cache(maxsize=16_384)
def cell_kind(cell: str) -> CellKind:
    """Return the kind of one cell: 2017 and 20170103 are numbers here, 2017-01 is a date."""
    text = cell.strip()
    if is_missing(text):
        return "missing"
    if len(text) > _LONGEST:
        return "text"
    if len(text) <= WIDTH:
        shape = shape_of(text)
        if not text.isdigit() and _is_date(text, shape):
            return "date"
        if clock_pattern(shape) is not None and read_clocks(np.array([text], dtype=object))[1][0]:
            return "clock"
    if parse_number(text, ".") is not None or parse_number(text, ",") is not None:
        return "number"
    return "text"


def shape_of(text: str) -> str:
    """Return the shape of one cell, as `app.reading.columns.cell_shapes` has it."""
    plain = ascii_form(text).translate(_DIGITS)
    return "".join("a" if sign.isalpha() else " " if sign.isspace() else sign for sign in plain)


def majority(cells: Sequence[str]) -> CellKind:
    """Return what most of the non-empty cells are; missing if there is no majority."""
    kinds = Counter(cell_kind(cell) for cell in cells)
    del kinds["missing"]
    return kinds.most_common(1)[0][0] if kinds else "missing"


def _is_date(text: str, shape: str) -> bool:
    patterns = date_patterns(shape)
    if not patterns or patterns[0].kind in _NUMERIC_DATES:
        return False
    if shape.replace("0", "") == ".." and len(shape) <= len("00.00.00"):
        return _is_calendar(*map(int, ascii_form(text).split(".")))
    if parse_number(text, ".") is not None and shape.count(".") == 1:
        return False  # 12.2019 and 2019.12 are numbers unless their column says otherwise
    if "a" not in shape and {pattern.kind for pattern in patterns} <= {"day", "triple", "month"}:
        return True
    # Words have the shape of month names, and s100 that of Q1 00; only reading them shows what they
    # are.
    read = read_dates(np.array([text], dtype=object))
    return bool(read.readable[0]) or bool(read.zone_names)  # a zone may be unknown


def _is_calendar(first: int, second: int, third: int) -> bool:
    """Return whether 18.30.00 is a date in any order; otherwise it is a time of day."""
    return any(
        1 <= month <= _MOST_MONTHS and 1 <= day <= _MOST_DAYS
        for month, day in ((first, second), (second, first), (second, third))
    )
