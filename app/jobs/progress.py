"""A job's progress, as its row holds it: the last report, and the curve of its epochs."""

import math
from dataclasses import asdict
from typing import Any

from app.jobs.log_lines import StageLines
from app.jobs.messages import Progress

CURVE_POINTS = 200  # per stage; small, because the row is rewritten a few times a second


class JobProgress:
    """The progress of one job, continued from an earlier attempt.

    Args:
        saved: what the job's row holds; {} for a new job.
    """

    def __init__(self, saved: dict[str, Any]) -> None:
        self._curve: list[dict[str, Any]] = list(saved.get("curve", []))
        self._last = {key: value for key, value in saved.items() if key != "curve"}
        self.unsaved = False  # whether the row lacks some news
        self.untold: list[str] = []  # lines that the log lacks
        self._lines = StageLines()

    def report(self, progress: Progress) -> None:
        """Record a report of the trainer."""
        self._last = {
            key: _finite(value) if isinstance(value, float) else value
            for key, value in asdict(progress).items()
        }
        self.unsaved = True
        self.untold += self._lines.of(progress)
        if progress.epoch is not None and progress.loss is not None:
            self._add_point(progress)

    def as_json(self) -> dict[str, Any]:
        """Return the row's `progress`."""
        return {**self._last, "curve": self._curve}

    def _add_point(self, progress: Progress) -> None:
        epoch, stride = progress.epoch or 0, math.ceil((progress.epochs or 0) / CURVE_POINTS)
        if stride > 1 and epoch % stride != 0 and epoch != progress.epochs:
            return
        # A run that continues from a checkpoint repeats the epochs after it.
        kept = [
            point
            for point in self._curve
            if point["stage"] != progress.stage or point["epoch"] < epoch
        ]
        self._curve = [
            *kept,
            {key: self._last[key] for key in ("stage", "epoch", "loss", "validation_loss")},
        ]


def _finite(value: float) -> float | None:
    """Return the value, or None: JSON has no NaN, so a diverged loss is unknown."""
    return value if math.isfinite(value) else None
