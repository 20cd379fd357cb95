"""Read written numbers: thousands separators, decimal commas, currencies, percent, units, flags.

Cells are grouped by their form, in which every digit is replaced by 0. A form is parsed once, and
all its cells are converted together: a column of a million amounts has about a dozen forms.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np

from app.reading.arrays import Bytes, Floats, Places
from app.reading.columns.cell_shapes import WIDTH, form_groups
from app.reading.vocabulary import NOTATIONS

Decimal = Literal[".", ","]

_MISSING = NOTATIONS["missing"]
MISSING = frozenset(_MISSING["words"] + _MISSING["signs"] + _MISSING["sheet_errors"])
MISSING_AMONG_NUMBERS = MISSING | frozenset(_MISSING["among_numbers"])
MAX_DIGITS = 400  # a longer cell is not a number
EXACT_DIGITS = 15  # a float can represent every whole number with this many digits

CURRENCIES = "$€£¥₹₩₽₿¢"
_CURRENCY_WORDS = r"usd|eur|gbp|chf|jpy|cny|inr|us\$|a\$|c\$|hk\$|r\$|kr|zł"
_BLANKS = " \u00a0\u202f\u2009\u2007\t"
_NUMBER = re.compile(
    r"(?P<open>\()?(?P<sign>[-+\u2212])?\s*"
    rf"(?P<before>[{CURRENCIES}]|(?:{_CURRENCY_WORDS})(?![a-z]))?\s*(?P<sign2>[-+])?\s*"
    rf"(?P<digits>(?:[0-9][0-9.,'’{_BLANKS}]*|[.,][0-9]+))(?P<exponent>e[-+]?[0-9]{{1,4}})?"
    # 12,- is a price without cents, 12- is a negative number, 12-Jan is neither.
    r"(?:(?<=[.,])[-\u2013\u2014]{1,2}|(?P<trailing>-)(?![a-z]))?\s*"
    r"(?P<after>[^\d\s()-][^\d()]{0,11}?)?\s*(?P<close>\))?",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"(?<=[0-9])\s*(?:[*†‡¹²³]{1,3}|\[\w{1,3}\]|\((?:[a-z]{1,3}|0)\)|\s0{1,2}\))", re.IGNORECASE
)
# A single letter only counts if it touches the number and is not a unit: 5K, 7.38M, but not 5 m.
# After a currency it is not a unit: $5 M, £3m.
_MAGNITUDE_LETTERS: dict[str, float] = NOTATIONS["magnitudes"]["letters"]
_MAGNITUDE_WORDS: dict[str, float] = NOTATIONS["magnitudes"]["words"]
_TRUTH = {"true": 1.0, "false": 0.0}
_FORM_OF = str.maketrans("123456789", "000000000")


@dataclass(frozen=True, kw_only=True)
class NumberForm:
    """The way to read the cells of one form."""

    whole: tuple[int, ...]  # positions of the digits before the decimal sign
    part: tuple[int, ...]  # positions of the digits after it
    exponent: tuple[int, int] | None  # positions of the exponent's digits, and their sign
    factor: float  # a magnitude, and the sign
    unit: str
    has_magnitude: bool
    has_note: bool  # whether a footnote follows the number

    def values(self, text: Bytes) -> Floats:
        """Return the numbers of cells, (cells, width) bytes; NaN if too large for a float."""
        places = self.whole + self.part
        if len(places) > EXACT_DIGITS or self.exponent is not None:
            return np.array([self._value(bytes(row)) for row in text], dtype=np.float64)
        powers = 10 ** np.arange(len(places) - 1, -1, -1, dtype=np.int64)
        digits = text[:, places].astype(np.int64) - ord("0")  # (cells, digits)
        numbers: Floats = (digits @ powers) / 10.0 ** len(self.part)
        return numbers if self.factor == 1 else numbers * self.factor

    def _value(self, cell: bytes) -> float:
        whole, part = (bytes(cell[at] for at in places) for places in (self.whole, self.part))
        power = b"0" if self.exponent is None else cell[slice(*self.exponent)]
        value = float(b"%s.%se%s" % (whole or b"0", part or b"0", power)) * self.factor
        return value if math.isfinite(value) else math.nan


@dataclass(kw_only=True)
class NumberCells:
    """A column of cells read as numbers."""

    values: Floats  # (rows,) NaN if missing or not a number
    missing: int = 0  # cells spelled as missing, including empty ones
    bad: list[int] = field(default_factory=list)  # positions of cells that are not numbers
    units: dict[str, list[Places]] = field(default_factory=dict)  # unit → rows
    magnitudes: int = 0  # cells such as 7.38M
    notes: int = 0  # cells with a footnote after the number


def is_missing(cell: object) -> bool:
    """Return whether the cell is one of the usual spellings of "no value"."""
    return not isinstance(cell, str) or cell.strip().lower() in MISSING


def read_numbers(
    cells: Iterable[object], decimal: Decimal, missing: frozenset[str] = frozenset()
) -> NumberCells:
    """Read the cells of a column that no fast parser can read.

    Args:
        cells: str, or anything else for a missing value.
        decimal: the decimal sign.
        missing: further spellings of "no value", in lower case.
    """
    column = np.asarray(cells, dtype=object)
    found = NumberCells(values=np.full(len(column), np.nan))
    seen = 0
    for group in form_groups(column):
        seen += len(group.rows)
        text = group.shape.strip().lower()
        if text in MISSING_AMONG_NUMBERS or text in missing:
            found.missing += len(group.rows)
        elif text in _TRUTH:
            found.values[group.rows] = _TRUTH[text]
        elif len(group.shape.encode()) >= WIDTH:
            for row in group.rows.tolist():  # a cell that is longer than forms
                number = parse_number(str(column[row]), decimal)
                found.values[row] = math.nan if number is None else number[0]
                found.bad += [row] * (number is None)
        else:
            _read_group(number_form(group.shape, decimal), group.text, group.rows, found)
    found.missing += len(column) - seen
    return found


def parse_number(cell: str, decimal: Decimal) -> tuple[float, str, bool] | None:
    """Read one cell.

    Returns:
        Its value, the unit or currency beside it, and whether a magnitude (k, M, B) was applied;
        None if the cell is not a number.
    """
    text = cell.strip()
    form = number_form(text.translate(_FORM_OF), decimal) if len(text) <= MAX_DIGITS else None
    if form is None:
        return None
    data = text.encode()
    value = float(form.values(np.frombuffer(data, dtype=np.uint8)[None, :])[0])
    return (value, form.unit, form.has_magnitude) if math.isfinite(value) else None


def number_digits(cell: str) -> str | None:
    """Return the digits of a number with their separators; None if the cell is not a number."""
    match = _NUMBER.fullmatch(_NOTE.sub("", cell.strip())) if len(cell) < MAX_DIGITS else None
    return None if match is None else match["digits"].strip(_BLANKS + "'’")


@lru_cache(maxsize=16_384)
def number_form(form: str, decimal: Decimal) -> NumberForm | None:
    """Parse a form; None if its cells are not numbers.

    Args:
        form: a cell with 0 for every digit.
        decimal: the decimal sign.
    """
    note = _NOTE.search(form)
    has_note = note is not None and note.end() == len(form)
    match = _NUMBER.fullmatch(form[: note.start()] if note is not None and has_note else form)
    if match is None or (match["open"] is None) != (match["close"] is None):
        return None
    split = _split_digits(match["digits"], decimal)
    signs = [sign for sign in (match["sign"], match["sign2"], match["trailing"]) if sign]
    if split is None or len(signs) > 1:
        return None
    start = len(form[: match.start("digits")].encode())
    places = [start + len(match["digits"][:at].encode()) for at in split[0] + split[1]]
    factor, unit, has_magnitude = _magnitude(match)
    negative = bool(match["open"]) or bool(signs and signs[0] != "+")
    exponent = None
    if match["exponent"]:
        first = len(form[: match.start("exponent")].encode()) + 1
        exponent = (first, first + len(match["exponent"]) - 1)
    return NumberForm(
        whole=tuple(places[: len(split[0])]),
        part=tuple(places[len(split[0]) :]),
        exponent=exponent,
        factor=-factor if negative else factor,
        unit=unit,
        has_magnitude=has_magnitude,
        has_note=has_note,
    )


def _read_group(form: NumberForm | None, text: Bytes, rows: Places, found: NumberCells) -> None:
    values = None if form is None else form.values(text)
    if form is None or values is None or not np.isfinite(values).all():
        bad = rows if values is None else rows[~np.isfinite(values)]
        found.bad += bad.tolist()
    if form is None or values is None:
        return
    found.values[rows] = values
    if form.unit:
        found.units.setdefault(form.unit, []).append(rows)
    found.magnitudes += len(rows) * form.has_magnitude
    found.notes += len(rows) * form.has_note


def _magnitude(match: re.Match[str]) -> tuple[float, str, bool]:
    """Return the factor for a word or letter after the number, and the unit beside it."""
    after = (match["after"] or "").strip()
    word, _, rest = after.partition(" ")
    factor = _MAGNITUDE_WORDS.get(word.rstrip(".").lower())
    if match["before"]:
        factor = factor or _MAGNITUDE_LETTERS.get(after.upper())
    elif after in _MAGNITUDE_LETTERS and match.string[match.start("after") - 1].isdigit():
        factor = _MAGNITUDE_LETTERS[after]
    unit = match["before"] or (rest.strip() if factor else after)
    return factor or 1.0, unit, factor is not None


def _split_digits(text: str, decimal: Decimal) -> tuple[list[int], list[int]] | None:
    """Return the positions of digits before and after the decimal sign; None: a wrong group."""
    body = text.rstrip(_BLANKS + "'’")
    whole, _, part = body.partition(decimal)
    if part and not (part.isascii() and part.isdigit()):
        return None
    groups = re.split(rf"[,.'’{_BLANKS}]", whole)
    if len(groups) > 1:
        signs = {sign for sign in whole if not sign.isdigit()}
        indian = all(len(group) in {2, 3} for group in groups[1:-1])
        if len(signs) > 1 or len(groups[-1]) != 3 or not indian:
            return None
    before = [at for at, sign in enumerate(whole) if sign.isdigit()]
    behind = list(range(len(body) - len(part), len(body)))
    return (before, behind) if before or behind else None
