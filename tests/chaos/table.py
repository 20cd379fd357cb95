"""The table that `make chaos` prints: faults tried and survived, and what was lost."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# How often each fault is injected: 20 times by `make chaos`, once by `make test`.
TIMES = int(os.environ.get("CHAOS_TIMES", "1"))
IN_FULL = TIMES > 1
# `stepahead` with short pauses between restarts.
IMPATIENT = (sys.executable, "-m", "tests.chaos.impatient")
HEADINGS = ("fault", "tried", "survived", "acknowledged", "lost", "longest recovery")


@dataclass(kw_only=True)
class Row:
    """One kind of fault."""

    fault: str
    tried: int = 0
    survived: int = 0  # how often the service worked again by itself
    acknowledged: set[str] = field(default_factory=set)  # ids of all that was promised meanwhile
    lost: int | None = None  # None until the end
    longest_seconds: float | None = None  # from a fault's end until answers came again

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Count one fault, which counts as survived if the block ends without an error."""
        self.tried += 1
        yield
        self.survived += 1

    def took(self, seconds: float) -> None:
        """Note how long a recovery took."""
        self.longest_seconds = max(seconds, self.longest_seconds or 0.0)

    def count_lost(self, kept: set[str]) -> None:
        """Count what was acknowledged and was not kept."""
        self.lost = len(self.acknowledged - kept)

    def cells(self) -> tuple[str, ...]:
        longest = "" if self.longest_seconds is None else f"{self.longest_seconds:.1f} s"
        counts = (self.tried, self.survived, len(self.acknowledged))
        lost = "not counted" if self.lost is None else f"{self.lost:,}"
        return (self.fault, *(f"{count:,}" for count in counts), lost, longest)


TABLE: list[Row] = []
NOTES: list[str] = []  # printed below it


def row(fault: str) -> Row:
    """Add a row to the table and return it."""
    added = Row(fault=fault)
    TABLE.append(added)
    return added


def lines() -> Iterator[str]:
    """Yield the table, line by line, in Markdown."""
    rules = ("---", *("---:" for _ in HEADINGS[1:]))
    for cells in (HEADINGS, rules, *(each.cells() for each in TABLE)):
        yield "| " + " | ".join(cells) + " |"
