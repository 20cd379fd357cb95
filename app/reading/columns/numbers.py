"""A column of written numbers: thousands, decimal commas, currencies, percent, units."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Decimal = Literal[".", ","]

_MISSING_WORDS = ["na", "nan", "null", "nil", "none", "nat", "missing", "undefined", "n/a", "n|a"]
_MISSING_SIGNS = ["", "-", "--", "---", "\u2013", "\u2014", "?", ".", "..", "...", "\\n", "<na>"]
_MISSING_SIGNS += ["n.a.", "-nan", "inf", "-inf", "+inf", "infinity", "-infinity"]
_SHEET_ERRORS = ["#n/a", "#na", "#value!", "#div/0!", "#ref!", "#num!", "#name?", "#null!"]
# As Excel writes them in German, French, Spanish, Portuguese and Italian.
_SHEET_ERRORS += ["#nv", "#wert!", "#bezug!", "#zahl!", "#valeur!", "#nombre!", "#nom?", "#n/d"]
_SHEET_ERRORS += ["#¡valor!", "#¡div/0!", "#¡num!", "#¡ref!", "#valor!", "#valore!", "#rif!"]
MISSING = frozenset(_MISSING_WORDS + _MISSING_SIGNS + _SHEET_ERRORS)
MAX_DIGITS = 400  # a longer cell is no number

_CURRENCY = "$€£¥₹₩₽₿¢"
_CURRENCY_WORDS = r"usd|eur|gbp|chf|jpy|cny|inr|us\$|a\$|c\$|hk\$|r\$|kr|zł"
_BLANKS = " \u00a0\u202f\u2009\u2007\t"
_NUMBER = re.compile(
    r"(?P<open>\()?(?P<sign>[-+])?\s*"
    rf"(?P<before>[{_CURRENCY}]|(?:{_CURRENCY_WORDS})(?![a-z]))?\s*(?P<sign2>[-+])?\s*"
    rf"(?P<digits>(?:\d[\d.,'’{_BLANKS}]*|[.,]\d+))(?P<exponent>e[-+]?\d{{1,4}})?"
    # 12,- is a price without cents, 12- is a negative number, 12-Jan is neither.
    r"(?:(?<=[.,])[-\u2013\u2014]{1,2}|(?P<trailing>-)(?![a-z]))?\s*"
    r"(?P<after>[^\d\s()-][^\d()]{0,11}?)?\s*(?P<close>\))?",
    re.IGNORECASE,
)
# One letter counts only where it touches the number and is no unit: 5K, 7.38M, but not 5 m. Behind
# a sum of money it is none: $5 M, £3m.
_MAGNITUDE_LETTERS = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_MAGNITUDE_WORDS = (
    dict.fromkeys(("thousand", "tsd"), 1e3)
    | dict.fromkeys(("million", "millions", "mio", "mn", "mln"), 1e6)
    | dict.fromkeys(("billion", "billions", "bn", "mrd", "mld"), 1e9)
    | dict.fromkeys(("trillion", "trillions", "tn"), 1e12)
)
_TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(kw_only=True)
class DecimalEvidence:
    """What the numbers of a file say about its decimal sign."""

    point: int = 0  # cells that can only be read with a decimal point
    comma: int = 0  # cells that can only be read with a decimal comma
    either: int = 0  # cells such as 1,234 or 1.234
    example: str = ""  # of `either`

    def add(self, cell: str) -> None:
        """Weighs one cell."""
        match = _NUMBER.fullmatch(cell.strip())
        if match is None:
            return
        digits = match["digits"]
        commas, points = digits.count(","), digits.count(".")
        if commas and points:
            self._settle("," if digits.rfind(",") > digits.rfind(".") else ".")
        elif commas > 1 or points > 1:
            self._settle("." if commas else ",")
        elif commas or points:
            sign = "," if commas else "."
            head, tail = digits.split(sign)
            grouped = len(tail) == 3 and 1 <= len(head) <= 3  # thousands come in threes
            if grouped and not head.startswith("0"):
                self.either += 1
                self.example = self.example or cell.strip()
            else:
                self._settle(sign)

    def decide(self, told: Decimal | None, *, semicolons: bool) -> tuple[Decimal, str, str | None]:
        """The decimal sign, why, and a cell that leaves it open.

        Args:
            told: what the user said.
            semicolons: stand between the cells, which leaves the comma to decimals.
        """
        if told is not None:
            return told, "as `read` says", None
        if self.comma > self.point:
            return ",", f"{self.comma} cells can only be read so", None
        if self.point:
            return ".", f"{self.point} cells can only be read so", None
        if self.either and "," in self.example and semicolons:
            return ",", "semicolons between cells leave the comma to decimals", self.example
        if self.either:
            return ".", "the usual one", self.example
        return ".", "no number has decimals", None

    def _settle(self, sign: str) -> None:
        if sign == ".":
            self.point += 1
        else:
            self.comma += 1


@dataclass(kw_only=True)
class NumberCells:
    """A column of cells read as numbers."""

    values: npt.NDArray[np.float64]  # (rows,) NaN where missing or not a number
    missing: int = 0  # cells spelled as missing, empty ones included
    bad: list[int] = field(default_factory=list)  # positions of cells that are no number
    units: dict[str, int] = field(default_factory=dict)  # sign or word beside the number → cells
    magnitudes: int = 0  # cells such as 7.38M


def is_missing(cell: object) -> bool:
    """Whether the cell is one of the usual spellings of "no value"."""
    return not isinstance(cell, str) or cell.strip().lower() in MISSING


def read_numbers(cells: Iterable[object], decimal: Decimal) -> NumberCells:
    """Reads cells one by one; the careful way, for columns that no fast parser reads."""
    found = NumberCells(values=np.empty(0))
    values: list[float] = []
    drop = str.maketrans("", "", "," if decimal == "." else ".")
    for row, cell in enumerate(cells):
        if not isinstance(cell, str):
            found.missing += 1
            values.append(math.nan)
            continue
        values.append(_plain(cell, decimal, drop, found, row))
    found.values = np.array(values, dtype=np.float64)
    return found


def parse_number(cell: str, decimal: Decimal) -> tuple[float, str, bool] | None:
    """Reads one cell.

    Returns:
        its value, the unit or currency beside it, and whether a magnitude (k, M, B) was applied;
        None when the cell is no number.
    """
    match = (
        _NUMBER.fullmatch(cell.strip().replace("\u2212", "-")) if len(cell) < MAX_DIGITS else None
    )
    if match is None or (match["open"] is None) != (match["close"] is None):
        return None
    digits = _ungrouped(match["digits"], decimal)
    if digits is None:
        return None
    signs = [sign for sign in (match["sign"], match["sign2"], match["trailing"]) if sign]
    if len(signs) > 1:
        return None
    value = float(digits + (match["exponent"] or ""))
    if "-" in signs or match["open"]:
        value = -value
    after = (match["after"] or "").strip()
    word, _, rest = after.partition(" ")
    factor = _MAGNITUDE_WORDS.get(word.rstrip(".").lower())
    if match["before"]:
        factor = factor or _MAGNITUDE_LETTERS.get(after.upper())
    elif after in _MAGNITUDE_LETTERS and cell[match.start("after") - 1].isdigit():
        factor = _MAGNITUDE_LETTERS[after]
    unit = match["before"] or (rest.strip() if factor else after)
    value *= factor or 1.0
    return (value, unit, factor is not None) if math.isfinite(value) else None


def _plain(
    cell: str, decimal: Decimal, drop: dict[int, int | None], found: NumberCells, row: int
) -> float:
    text = cell.strip()
    if text.lower() in MISSING:
        found.missing += 1
        return math.nan
    if text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    parsed = _grouped(text, decimal, drop)
    if parsed is not None:
        return parsed
    careful = parse_number(text, decimal)
    if careful is None:
        found.bad.append(row)
        return math.nan
    value, unit, magnitude = careful
    if unit:
        found.units[unit] = found.units.get(unit, 0) + 1
    found.magnitudes += magnitude
    return value


_GROUPED = {
    ".": re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?", re.ASCII),
    ",": re.compile(r"[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+)?(?:,\d*)?", re.ASCII),
}


def _grouped(text: str, decimal: Decimal, drop: dict[int, int | None]) -> float | None:
    if len(text) > MAX_DIGITS or not _GROUPED[decimal].fullmatch(text):
        return None
    try:
        value = float(text.translate(drop).replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _ungrouped(digits: str, decimal: Decimal) -> str | None:
    """The digits with a decimal point alone, or None where the groups are not of three."""
    whole, _, part = digits.rstrip(_BLANKS + "'’").partition(decimal)
    if (part and not part.isascii()) or (part and not part.isdigit()):
        return None
    groups = re.split(rf"[,.'’{_BLANKS}]", whole)
    if len(groups) > 1:
        signs = {sign for sign in whole if not sign.isdigit()}
        indian = all(len(group) in {2, 3} for group in groups[1:-1])
        if len(signs) > 1 or len(groups[-1]) != 3 or not indian:  # thousands come in threes
            return None
    joined = "".join(groups)
    if not joined.isascii() or not (joined or part):
        return None
    return f"{joined or '0'}.{part or '0'}"
