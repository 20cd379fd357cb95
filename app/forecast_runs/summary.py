"""Count what became of the series of a run."""

from collections import Counter
from dataclasses import dataclass, field

from app.forecast_runs.forms import Row

MOST_TOLD = 20  # kinds of warnings, and of errors, that a summary names


@dataclass(frozen=True, kw_only=True)
class Told:
    """A warning or an error, for how many series, and one of them."""

    message: str
    series: int
    example: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What became of the series of a run."""

    series: int
    failed: int
    rows: int  # of the answer
    horizon: int  # the most steps that any series got
    warnings: tuple[Told, ...]
    errors: tuple[Told, ...]


@dataclass(kw_only=True)
class Messages:
    """Counts messages, with the first series of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def note(self, message: str, label: str) -> None:
        """Count a message about a series."""
        self.counts[message] += 1
        self.examples.setdefault(message, label)

    def told(self) -> tuple[Told, ...]:
        """Return the most frequent messages; the last one counts all that are not named."""
        common = self.counts.most_common()
        shown = [
            Told(message=message, series=count, example=self.examples[message])
            for message, count in common[:MOST_TOLD]
        ]
        if rest := common[MOST_TOLD:]:
            message = f"{len(rest)} other messages"
            example = self.examples[rest[0][0]]
            shown.append(Told(message=message, series=sum(n for _, n in rest), example=example))
        return tuple(shown)


@dataclass(kw_only=True)
class Counts:
    """Counts the series of a run while it goes on."""

    series: int = 0
    failed: int = 0
    rows: int = 0
    horizon: int = 0
    warnings: Messages = field(default_factory=Messages)
    errors: Messages = field(default_factory=Messages)

    def note(self, rows: list[Row], warnings: list[str]) -> None:
        """Count a series by its rows."""
        label, error = rows[0].series, rows[0].error
        self.series += 1
        self.rows += len(rows)
        if error is None:
            self.horizon = max(self.horizon, len(rows))
        else:
            self.failed += 1
            self.errors.note(error, label)
        for warning in warnings:
            self.warnings.note(warning, label)

    def summary(self) -> Summary:
        """Return what has been counted."""
        return Summary(
            series=self.series,
            failed=self.failed,
            rows=self.rows,
            horizon=self.horizon,
            warnings=self.warnings.told(),
            errors=self.errors.told(),
        )
