"""Define what a benchmark returns: tables, and figures beside a reference from the same run.

A benchmark is a module in this folder with a function `measure(*, quick: bool) ->
Iterator[Outcome]`. It yields each figure as soon as it is known, so that a later failure does not
lose it. `quick` measures the same with less of everything, to check that it runs; its figures mean
little.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A measured value that a figure is compared with."""

    name: str  # "model.fit, same data", "empty endpoint, 64 connections"
    value: float  # in the figure's unit, measured in the same run


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A target, for the ratio or for the value of a figure without a reference."""

    bound: float
    side: Literal["at least", "at most"]

    def met_by(self, number: float) -> bool:
        """Return whether the target is reached; NaN never reaches it."""
        return number >= self.bound if self.side == "at least" else number <= self.bound


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured number."""

    name: str
    value: float
    unit: str  # "requests/s", "s", "ms", "bytes"; "" for a count
    reference: Reference | None = None
    wanted: Wanted | None = None
    note: str = ""  # what a reader must know to interpret it

    @property
    def ratio(self) -> float | None:
        """Value / reference; None without a reference, NaN if the reference is 0."""
        if self.reference is None:
            return None
        return self.value / self.reference.value if self.reference.value else float("nan")

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target."""
        if self.wanted is None:
            return None
        return self.wanted.met_by(self.value if self.ratio is None else self.ratio)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Figures in rows and columns, already formatted."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


Outcome = Figure | Table


def at_least(bound: float) -> Wanted:
    """Return a target for which larger is better."""
    return Wanted(bound=bound, side="at least")


def at_most(bound: float) -> Wanted:
    """Return a target for which smaller is better."""
    return Wanted(bound=bound, side="at most")


def middle(rounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the pair with the median ratio, of rounds that measured two things in turn.

    The speed of a shared machine changes within seconds. Two things measured side by side change
    together, while separate medians may come from different times.
    """
    return sorted(rounds, key=lambda pair: pair[0] / pair[1])[len(rounds) // 2]


def number(value: float) -> str:
    """Format a number with three significant digits."""
    if value != value:  # noqa: PLR0124 (NaN)
        return "not measured"
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def line_of(outcome: Outcome) -> str:
    """Format an outcome in one line, as a benchmark on its own prints it."""
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
    """Run a benchmark as `main`: print each outcome as it comes; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=sys.modules[measure.__module__].__doc__)
    parser.add_argument("--quick", action="store_true", help="see that it runs; less of everything")
    quick = parser.parse_args().quick
    missed = 0
    for outcome in measure(quick=quick):
        print(line_of(outcome), flush=True)
        missed += isinstance(outcome, Figure) and outcome.met is False
    return int(missed > 0)
