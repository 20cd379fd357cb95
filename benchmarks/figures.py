"""What a benchmark gives: figures, each beside its reference of the same run, and tables.

A benchmark is a module here with one function, `measure(*, quick: bool) -> Iterator[Outcome]`. It
gives each figure as soon as it has it, so that a later failure does not lose it. `quick` measures
the same with less of everything, to see that it runs; its figures mean little.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a figure is compared with."""

    name: str  # "model.fit, same data", "empty endpoint, 64 connections"
    value: float  # in the figure's unit, measured in the same run


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be reached: by the ratio, or by the value of a figure without a reference."""

    bound: float
    side: Literal["at least", "at most"]

    def met_by(self, number: float) -> bool:
        """Whether it is reached; NaN never is."""
        return number >= self.bound if self.side == "at least" else number <= self.bound


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number."""

    name: str
    value: float
    unit: str  # "requests/s", "s", "ms", "bytes"; "" for a count
    reference: Reference | None = None
    wanted: Wanted | None = None
    note: str = ""  # what is to be known to read it right

    @property
    def ratio(self) -> float | None:
        """Value / reference; None without a reference, NaN where the reference is 0."""
        if self.reference is None:
            return None
        return self.value / self.reference.value if self.reference.value else float("nan")

    @property
    def met(self) -> bool | None:
        """Whether what is wanted is reached; None if nothing is."""
        if self.wanted is None:
            return None
        return self.wanted.met_by(self.value if self.ratio is None else self.ratio)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Figures of many rows and a few columns, written as they are."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


Outcome = Figure | Table


def at_least(bound: float) -> Wanted:
    """The larger the better."""
    return Wanted(bound=bound, side="at least")


def at_most(bound: float) -> Wanted:
    """The smaller the better."""
    return Wanted(bound=bound, side="at most")


def middle(rounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Of rounds that measured two things in turn, both of the one with the median ratio.

    A machine that is shared changes its speed within seconds; what was measured side by side
    changes alike, and medians of either by itself may be of different moments.
    """
    return sorted(rounds, key=lambda pair: pair[0] / pair[1])[len(rounds) // 2]


def number(value: float) -> str:
    """A number as people read it: three digits that count."""
    if value != value:  # noqa: PLR0124 (NaN)
        return "not measured"
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def line_of(outcome: Outcome) -> str:
    """An outcome as one benchmark alone prints it."""
    if isinstance(outcome, Table):
        rows = [outcome.columns, *outcome.rows]
        return "\n".join([outcome.title, *("  " + "  ".join(row) for row in rows)])
    parts = [f"{outcome.name}: {number(outcome.value)} {outcome.unit}".rstrip()]
    if outcome.reference is not None and outcome.ratio is not None:
        reference = outcome.reference
        parts.append(f"{number(reference.value)} for {reference.name}")
        parts.append(f"ratio {number(outcome.ratio)}")
    if outcome.wanted is not None:
        met = "met" if outcome.met else "MISSED"
        parts.append(f"wanted {outcome.wanted.side} {number(outcome.wanted.bound)}: {met}")
    if outcome.note:
        parts.append(outcome.note)
    return "; ".join(parts)


def run_alone(measure: Callable[..., Iterator[Outcome]]) -> int:
    """The `main` of a benchmark: print each outcome as it comes; 1 if something was missed."""
    parser = argparse.ArgumentParser(description=sys.modules[measure.__module__].__doc__)
    parser.add_argument("--quick", action="store_true", help="see that it runs; less of everything")
    quick = parser.parse_args().quick
    missed = 0
    for outcome in measure(quick=quick):
        print(line_of(outcome), flush=True)
        missed += isinstance(outcome, Figure) and outcome.met is False
    return int(missed > 0)
