"""Decide the decimal sign of a file from its numbers.

`1.5` and `1.234,5` have one reading each. `1,234` has two, whatever unit stands beside it; then the
numbers around it, currencies and semicolons between the cells speak.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from app.reading.columns.numbers import CURRENCIES, Decimal, number_digits
from app.reading.decisions import Candidate, Cell, Decision, settled, weigh

_OTHER: dict[Decimal, Decimal] = {".": ",", ",": "."}
_THOUSAND = 1000
_GROUPED = re.compile(r"[1-9]\d{0,2}", re.ASCII)  # digits before a thousands separator
_GROUP = re.compile(r"\d{3}", re.ASCII)
_FEW = 3  # plain numbers that show the size of a column
_KEPT = 3  # cells of each kind that are kept to be shown
Rule = tuple[float, str, list[Cell]]


@dataclass(kw_only=True)
class DecimalEvidence:
    """What the numbers of a file say about its decimal sign."""

    counts: dict[Decimal, int] = field(default_factory=lambda: {".": 0, ",": 0})
    settled: dict[Decimal, list[Cell]] = field(default_factory=lambda: {".": [], ",": []})
    opened: list[Cell] = field(default_factory=list)  # cells that can be read with either sign
    beside: dict[Decimal, list[Rule]] = field(default_factory=lambda: {".": [], ",": []})

    def add_column(self, name: str, cells: Iterable[tuple[int, str]]) -> None:
        """Add the cells of one column, each with its row in the file."""
        plain: list[float] = []
        opened: list[tuple[Cell, float, Decimal]] = []
        for row, text in cells:
            digits = number_digits(text)
            if digits is None:
                continue
            cell, sign = Cell(row=row, column=name, text=text.strip()), _sign_of(digits)
            if sign is None:
                plain += [float(digits)] if digits.isdigit() else []
            elif sign == "either":
                separator: Decimal = "," if "," in digits else "."
                opened.append((cell, float(digits.replace(",", ".")), separator))
            else:
                self.counts[sign] += 1
                self.settled[sign] += [cell] * (len(self.settled[sign]) < _KEPT)
        if opened:
            self.opened += [cell for cell, _, _ in opened[:_KEPT]]
            for sign, rule in _neighbours(name, plain, opened):
                self.beside[sign].append(rule)

    @property
    def is_empty(self) -> bool:
        """Return whether no number has a separator."""
        return not self.opened and not any(self.counts.values())

    def decide(self, told: Decimal | None, *, semicolons: bool) -> tuple[Decimal, Decision]:
        """Choose the decimal sign.

        Args:
            told: what `read` says.
            semicolons: stand between the cells, which leaves the comma to decimals.
        """
        if told is not None:
            return told, settled("decimal", told, "", told=True)
        if self.is_empty:
            return ".", settled("decimal", ".", "no number has decimals")
        total = sum(self.counts.values())
        candidates = []
        for sign, count in self.counts.items():
            rules = list(self.beside[sign])
            if count:
                reason = f"{count} cells have no other reading"
                rules.append((3.0 * count / total, reason, self.settled[sign]))
            elif not total and sign == ".":
                rules.append((0.5, "it is the usual one", self.opened))
            elif not total and semicolons:
                reason = "semicolons between the cells leave the comma for decimals"
                rules.append((0.6, reason, self.opened))
            elif not total and not rules:
                rules.append((0.1, "the cells can be read so too", self.opened))
            candidates.append(Candidate(sign, sign, {"decimal": sign}, rules))
        best, decision = weigh("decimal", candidates)
        return best.value, decision


def _sign_of(digits: str) -> Decimal | Literal["either"] | None:
    """Return the decimal sign of a number: "either" if unclear, None without a separator."""
    commas, points = digits.count(","), digits.count(".")
    if not commas and not points:
        return None
    if commas and points:
        return "," if digits.rfind(",") > digits.rfind(".") else "."
    if commas > 1 or points > 1:
        return "." if commas else ","
    sign: Decimal = "," if commas else "."
    head, _, tail = digits.partition(sign)
    return "either" if _GROUPED.fullmatch(head) and _GROUP.fullmatch(tail) else sign


def _neighbours(
    name: str, plain: list[float], opened: list[tuple[Cell, float, Decimal]]
) -> Iterable[tuple[Decimal, Rule]]:
    """Return what the column's other numbers say about those that can be read with either sign."""
    cells = [cell for cell, _, _ in opened[:_KEPT]]
    decimal = opened[0][2]
    grouped = _OTHER[decimal]
    if any(sign in cell.text for cell in cells for sign in CURRENCIES):
        yield grouped, (1.0, "amounts of money do not have three decimals", cells)
    if any(cell.text.startswith("(") for cell in cells):
        yield grouped, (2.5, "accounts write whole numbers in parentheses", cells)
    size = median(value for _, value, _ in opened)
    long = [value for value in plain if value >= _THOUSAND]
    if len(plain) >= _FEW and (usual := median(plain)) > 0:
        # Powers of ten by which whole numbers are closer to the others: from -3 to 3.
        nearer = abs(math.log10(usual / size)) - abs(math.log10(usual / (size * _THOUSAND)))
        reason = f"the other numbers of column {name!r} are about {usual:g}"
        yield (grouped, (nearer, reason, cells)) if nearer > 0 else (decimal, (1.0, reason, cells))
    if long:
        yield decimal, (2.0, f"column {name!r} has {long[0]:.0f} without a separator", cells)
    elif plain:
        reason = f"{len(opened)} have three digits after the sign, and {len(plain)} have no sign"
        yield grouped, (min(0.5 * len(opened), 2.0), reason, cells)
