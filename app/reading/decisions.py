"""Weigh the readings of a file: each is a candidate, and the evidence for it is data.

A decision is *doubtful* where the runner-up comes within the lead that would settle it. Its warning
is written here, in one form for all: both readings, what speaks for each, and the `read` option
that decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Value = TypeVar("Value")
Setting = Mapping[str, str | bool]
Rule = tuple[float, str] | tuple[float, str, Sequence["Cell"]]  # points, reason, cells

CLEAR_LEAD = 1.0  # points; with a smaller lead the runner-up is possible, too
_CELLS_SHOWN = 3
_CELL_LENGTH = 40
# The subjects of decisions, the gravest doubt first.
SUBJECTS = {
    "kind": "kind of file",
    "encoding": "encoding",
    "sheet": "sheet",
    "delimiter": "delimiter",
    "header": "header",
    "layout": "layout",
    "date": "time column",
    "date_order": "order of day and month",
    "years": "calendar of the years",
    "hours": "hours",
    "decimal": "decimal sign",
    "series": "column that names the series",
    "duplicates": "rows with the same time",
    "missing": "marks of missing values",
    "frequency": "step between rows",
    "calendar": "closed days",
    "target": "target",
}


class Part(BaseModel):
    """A part of the report."""

    model_config = ConfigDict(extra="forbid")


class Cell(Part):
    """A cell of the file as written."""

    row: int | None = Field(default=None, description="In the file, from 1.")
    column: str | None = None
    text: str

    def __str__(self) -> str:
        place = [] if self.row is None else [f"row {self.row}"]
        place += [] if self.column is None else [f"column {self.column!r}"]
        return f"{self.text[:_CELL_LENGTH]!r}" + (f" in {', '.join(place)}" if place else "")


class Evidence(Part):
    """Evidence for a reading, or against it if the points are negative."""

    reading: str
    points: float
    reason: str
    cells: list[Cell] = Field(default_factory=list)


class Decision(Part):
    """One decision about the file."""

    about: str = Field(description="The `read` option it is about, or target.")
    chosen: str
    reason: str
    certainty: Literal["set", "sure", "doubtful"] = Field(
        description="set: `read` says so. sure: nothing else is likely. doubtful: the runner-up is "
        "possible too, and a warning says so."
    )
    runner_up: str | None = None
    evidence: list[Evidence] = Field(default_factory=list)
    settle: Setting | None = Field(
        default=None, description="The `read` options that would choose the runner-up."
    )
    confirm: Setting | None = Field(
        default=None, description="The `read` options that would confirm the choice."
    )

    @property
    def warning(self) -> str:
        """Return the doubt in a sentence or two."""
        text = (
            f"Doubtful {SUBJECTS[self.about]}: {self.chosen} ({self._case(self.chosen)}) rather "
            f"than {self.runner_up} ({self._case(self.runner_up) or 'nothing rules it out'})."
        )
        if self.settle:
            text += f" For the latter, set {_settings(self.settle)} in `read`"
            text += f"; to confirm, {_settings(self.confirm)}." if self.confirm else "."
        return text

    def _case(self, reading: str | None) -> str:
        """Return the evidence for a reading, with the first cells that show it."""
        own = [entry for entry in self.evidence if entry.reading == reading and entry.points > 0]
        cells = [str(cell) for entry in own for cell in entry.cells][:_CELLS_SHOWN]
        return "; ".join(entry.reason for entry in own) + (f": {'; '.join(cells)}" if cells else "")


@dataclass(frozen=True)
class Candidate(Generic[Value]):
    """A reading with the evidence for it."""

    value: Value
    name: str  # in the form of the report
    read: Setting | None  # the options that choose it
    rules: Sequence[Rule]

    @property
    def score(self) -> float:
        """The sum of its points."""
        return sum(rule[0] for rule in self.rules)

    @property
    def evidence(self) -> list[Evidence]:
        """The evidence in the form of the report."""
        return [
            Evidence(
                reading=self.name,
                points=rule[0],
                reason=rule[1],
                cells=list(rule[2][:_CELLS_SHOWN]) if len(rule) > 2 else [],
            )
            for rule in self.rules
        ]


def weigh(
    about: str, candidates: Sequence[Candidate[Value]], *, lead: float = CLEAR_LEAD
) -> tuple[Candidate[Value], Decision]:
    """Choose the candidate with the most points; of equal ones the first.

    Args:
        about: one of `SUBJECTS`.
        candidates: at least one.
        lead: the points by which the best must be ahead to be sure.
    """
    best, *others = sorted(candidates, key=lambda entry: -entry.score)
    second = others[0] if others else None
    reasons = [rule[1] for rule in best.rules if rule[0] > 0]
    decision = Decision(
        about=about,
        chosen=best.name,
        reason="; ".join(reasons) or "nothing suggests another",
        certainty="doubtful" if second and best.score - second.score < lead else "sure",
        runner_up=second.name if second else None,
        evidence=best.evidence + (second.evidence if second else []),
        settle=second.read if second else None,
        confirm=best.read,
    )
    return best, decision


def settled(about: str, chosen: str, reason: str, *, told: bool = False) -> Decision:
    """Return a decision without an alternative; `told` means that `read` says so."""
    reason = "as `read` says" if told else reason
    return Decision(about=about, chosen=chosen, reason=reason, certainty="set" if told else "sure")


def count_of(count: int, one: str, many: str) -> str:
    """Return the count with its noun: 1 row, 2 rows."""
    return f"{count:,} {one if count == 1 else many}"


def _settings(read: Setting) -> str:
    return " and ".join(f'"{name}" to "{value}"' for name, value in read.items())
