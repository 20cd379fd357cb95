"""The lines of a job's log. No database."""

import math

from app.artifact.scorecard import Scorecard
from app.artifact.series_records import ColumnUse
from app.jobs.messages import Progress
from app.reading.report import Report
from app.recipes.recipe import SeriesRecipe, TextRecipe
from app.storage.job_status import JobStatus
from app.storage.tables import Dataset, Job, Version

LINES_PER_STAGE = 10  # lines about epochs
COLUMNS_NAMED = 8

# What happens to a job that lost its worker or trainer.
OUTCOME = {
    JobStatus.QUEUED: "queued again, to continue from its last checkpoint",
    JobStatus.FAILED: "failed: this has happened too often",
}
STAGES = {
    "loading": "loading the data",
    "compiling": "compiling the network",
    "tuning": "training the weights of universal further",
    "tuning again": "training the weights of universal further, on all rows",
    "training": "training",
    "calibrating": "fitting on a part of the rows, to calibrate intervals",
    "weighing": "weighing the network against its anchor",
    "judging": "judging on held-out data",
    "refitting": "refitting on all rows",
    "exporting": "exporting the version",
}


def order_lines(
    dataset: Dataset,
    recipe: SeriesRecipe | TextRecipe,
    *,
    target: str | None,
    target_said: bool,
    base: int | None,
) -> list[str]:
    """Return what a job is to learn, from what, and how."""
    start = "" if base is None else f", starting from the weights of version {base}"
    report = Report.model_validate(dataset.report)
    lines = [f"queued: {_data(dataset.filename or 'the data', report, target)}"]
    others = [name for name in (report.target, *report.target_alternatives) if name != target]
    if target is not None and others and not target_said:
        more = ", …" if len(others) > COLUMNS_NAMED else ""
        named = ", ".join(map(str, others[:COLUMNS_NAMED]))
        lines.append(f"no target was named, so it is {target}; `target` also takes {named}{more}")
    return [*lines, f"{_recipe(recipe)}{start}"]


def taken_line(job: Job) -> str:
    """Return the line that names the worker."""
    further = "" if job.checkpoint is None else ", continuing from its last checkpoint"
    return f"started by worker {job.worker}, attempt {job.attempt}{further}"


def outcome_lines(version: Version, scorecard: Scorecard) -> list[str]:
    """Return the lines on its columns, how good it is, and whether it became champion."""
    promoted = "champion" if version.decision["promoted"] else "not champion"
    columns = (version.manifest.get("series") or {}).get("columns") or []
    uses = [ColumnUse.model_validate(column) for column in columns]
    return [
        *(f"column {use.told}" for use in uses if use.role != "target"),
        f"judged the network of epoch {scorecard.best_epoch}: {scorecard.verdict}",
        f"registered as {version.model}, version {version.number}",
        f"{promoted}: {version.decision['reason']}",
    ]


class StageLines:
    """Progress as lines: one for each stage, and about ten for the epochs of a stage."""

    def __init__(self) -> None:
        self._stage: str | None = None
        self._epoch = 0

    def of(self, progress: Progress) -> list[str]:
        """Return the lines for a report, mostly none."""
        lines = []
        if progress.stage != self._stage:
            self._stage, self._epoch = progress.stage, 0
            lines.append(_stage_line(progress))
        if progress.epoch is None or not progress.epochs or progress.loss is None:
            return lines
        apart = max(1, math.ceil(progress.epochs / LINES_PER_STAGE))
        is_last = progress.epoch == progress.epochs != self._epoch
        if progress.epoch - self._epoch >= apart or is_last:
            self._epoch = progress.epoch
            lines.append(_epoch_line(progress))
        return lines


def _stage_line(progress: Progress) -> str:
    told = STAGES.get(progress.stage, progress.stage)
    if (progress.epoch or 0) > 1:
        return f"{told}, from epoch {progress.epoch:,} of {progress.epochs:,}"
    return told


def _epoch_line(progress: Progress) -> str:
    line = f"epoch {progress.epoch:,} of {progress.epochs:,}: loss {progress.loss:.4g}"
    if progress.validation_loss is None:
        return line
    return f"{line}, validation loss {progress.validation_loss:.4g}"


def _data(name: str, report: Report, target: str | None) -> str:
    if report.text is not None:
        return f"{name}, a text of {report.text.words:,} words"
    parts = [name, f"{report.rows_used:,} rows"]
    if report.series_count > 1:
        parts.append(f"{report.series_count:,} series")
    if report.start is not None:
        parts.append(f"{report.start} to {report.end}")
    if target is not None:
        parts.append(f"to predict {target}")
    return ", ".join(parts)


def _recipe(recipe: SeriesRecipe | TextRecipe) -> str:
    layers = ", ".join(map(str, recipe.layers))
    parts = [f"recipe {recipe.preset}: {recipe.cell.upper()}({layers})"]
    if recipe.window is not None:
        parts.append(f"window {recipe.window}")
    if isinstance(recipe, SeriesRecipe):
        parts.append(f"horizon {recipe.horizon}")
    return ", ".join([*parts, f"at most {recipe.epochs:,} epochs"])
