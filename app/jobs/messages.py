"""The protocol between a worker and its trainer child, over a pipe.

The child computes and has neither database nor object store. It reads files that the worker
prepared and leaves files for the worker. Once TensorFlow is imported, it sends `Ready`, once. Then,
for each run, the worker sends `TrainingRequest` and possibly `Stop`; the child answers with any
number of `Progress` and `Checkpoint`, and one of `Finished`, `Stopped` and `Failed`. A `Stop` that
arrives after the end of its run is ignored. When the pipe closes, the child ends, even in the
middle of a run.

The pipe is a `multiprocessing.connection.Connection`. The child is started as `python -m
app.training.child --fd N`, where N is the inherited file descriptor of its end.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.recipes.recipe import SeriesRecipe, TextRecipe


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The child is warm: the next request starts at once."""

    import_seconds: float  # duration of importing TensorFlow


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """One training run, with everything the child needs."""

    model: str
    recipe: SeriesRecipe | TextRecipe
    dataset: Path  # bytes of app.reading.content
    dataset_id: str | None  # None if it is in no registry, as for the shipped models
    dataset_sha256: str  # of the uploaded file
    target: str | None  # a column; None: the first one
    output_dir: Path  # empty; the artifact is written there
    checkpoint_dir: Path  # holds the newest checkpoint if the run continues, else empty
    test: Path | None = None  # content bytes of a test set
    test_dataset_id: str | None = None
    start_from: Path | None = None  # artifact folder to warm-start from
    start_from_name: str | None = None  # NAME@N of that artifact


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the run is; epochs count within the stage."""

    stage: str  # loading, compiling, tuning, training, calibrating, judging, refitting, exporting
    epoch: int | None = None
    epochs: int | None = None
    loss: float | None = None
    validation_loss: float | None = None
    eta_seconds: float | None = None  # for the rest of the run


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A file that a later run can continue from; the child does not touch it any more."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The artifact is complete in the request's `output_dir`."""


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The run was stopped; a last `Checkpoint` was sent before, if there was one."""

    disk_full: bool = False  # why; else because it was told to


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The run cannot succeed; trying again would not help."""

    problem: dict[str, Any]  # as in app.errors


@dataclass(frozen=True, kw_only=True)
class Stop:
    """End the run now; with `checkpoint`, leave one first."""

    checkpoint: bool


Event = Ready | Progress | Checkpoint | Finished | Stopped | Failed
