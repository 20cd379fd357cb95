"""Interpret what is written beside the numbers of a column: units, flags, or unrelated words.

Units of one family are converted to the smallest of them. Letters behind a few of the numbers are
the flags of a statistical office. A word behind a few of them (0.24 Dividend) makes another row.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from app.reading.arrays import Floats, Places
from app.reading.columns.numbers import CURRENCIES, NumberCells
from app.reading.vocabulary import NOTATIONS

_UNITS = NOTATIONS["units"]
_FAMILIES: tuple[dict[str, float], ...] = (
    *(
        {prefix + base: factor for prefix, factor in _UNITS["prefixes"].items()}
        for base in _UNITS["prefixed"]
    ),
    *_UNITS["families"],
)
_FLAGS = re.compile(r"[bcdefinprsuvz]{1,3}|[BDEFPRSU]")
_FEW = 0.5  # flags follow at most this share of the numbers
_STRAY = 0.2  # a word that follows at most this share of the numbers does not belong to them
_PERCENT = "%"
_PERCENT_DECIMALS = 12  # 0.601 is 60.1 %, not 60.099999999999994


@dataclass(kw_only=True)
class Units:
    """What was found beside the numbers of a column."""

    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # shown with the column
    warnings: list[str] = field(default_factory=list)  # endings of a sentence about the column


def settle_units(read: NumberCells) -> Units:
    """Convert, drop or report what is beside the numbers; changes `read` in place."""
    found = Units()
    rows = {unit: np.concatenate(parts) for unit, parts in read.units.items()}
    numbers = int(np.isfinite(read.values).sum())
    _drop_flags(rows, numbers, found)
    _drop_words(rows, numbers, read)
    found.warnings += _convert(rows, read.values)
    found.warnings += _percent(rows, read.values)
    found.names = list(rows)
    if _PERCENT in rows and not found.warnings:
        found.notes.append("5 % is read as 5")
    if read.magnitudes:
        found.notes.append(f"{read.magnitudes} cells such as 7.38M are read as 7,380,000")
    if read.notes:
        found.notes.append(f"footnotes after {read.notes} numbers are left out")
    return found


def _drop_flags(rows: dict[str, Places], numbers: int, found: Units) -> None:
    flags = [unit for unit in rows if _FLAGS.fullmatch(unit)]
    flagged = sum(len(rows[unit]) for unit in flags)
    if flags and flagged <= _FEW * numbers and set(flags) == set(rows):
        found.notes.append(f"the flags {', '.join(flags)} after {flagged} numbers are left out")
        for unit in flags:
            del rows[unit]


def _drop_words(rows: dict[str, Places], numbers: int, read: NumberCells) -> None:
    """Remove cells whose word is not a unit, because they mean something else."""
    for unit, places in list(rows.items()):
        is_unit = any(unit in family for family in _FAMILIES) or unit == _PERCENT
        if is_unit or len(unit) < len("Div") or len(places) > _STRAY * numbers:
            continue
        if any(sign in unit for sign in CURRENCIES):
            continue
        read.values[places] = np.nan
        read.bad += places.tolist()
        del rows[unit]


def _convert(rows: dict[str, Places], values: Floats) -> Iterator[str]:
    mixed = [unit for unit in rows if unit != _PERCENT]
    family = next((each for each in _FAMILIES if set(mixed) <= set(each)), None)
    if len(mixed) < 2:
        return
    if family is None:
        names = " and in ".join(rows)
        yield f"has numbers in {names}, which were read as if these were one unit"
        return
    base = min(mixed, key=lambda unit: family[unit])
    told = []
    for unit in mixed:
        factor = family[unit] / family[base]
        values[rows[unit]] *= factor
        if unit != base:
            told.append(f"1 {unit} is read as {factor:g} {base}")
    yield f"has numbers in {' and in '.join(mixed)}: {', '.join(told)}"
    for unit in mixed:
        if unit != base:
            del rows[unit]


def _percent(rows: dict[str, Places], values: Floats) -> Iterator[str]:
    """Decide whether the numbers without a percent sign are percents, too, or fractions."""
    if set(rows) != {_PERCENT}:
        return
    is_percent = np.zeros(len(values), dtype=bool)
    is_percent[rows[_PERCENT]] = True
    plain = np.isfinite(values) & ~is_percent
    if not plain.any():
        return
    usual, other = np.median(np.abs(values[is_percent])), np.median(np.abs(values[plain]))
    if other <= 1 < usual and other * 10 < usual:
        values[plain] = np.round(values[plain] * 100, _PERCENT_DECIMALS)
        yield (
            f"has percents and fractions: the {int(plain.sum())} numbers without % were multiplied "
            "by 100"
        )
    else:
        yield (
            f"has {int(plain.sum())} numbers without % beside {int(is_percent.sum())} with it; all "
            "were read as percents"
        )
