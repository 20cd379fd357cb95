"""What a worker and its trainer child say to each other, over a pipe.

The child computes and knows neither database nor object store: it reads files that the worker put
down and leaves files for the worker to take up. Once TensorFlow is imported it says `Ready`, one
time. Then, run after run: the worker sends `TrainingRequest`, then possibly `Stop`; the child
answers with any number of `Progress` and `Checkpoint` and one of `Finished`, `Stopped`, `Failed`.
A `Stop` that crosses with the end of its run is dropped, unanswered. The pipe closing ends the
child, in the middle of a run too.

The pipe is a `multiprocessing.connection.Connection`; the child is started as
`python -m app.training.child --fd N` with N the inherited file descriptor of its end.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.recipes.recipe import SeriesRecipe, TextRecipe


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The child is warm: the next request starts at once."""

    import_seconds: float  # what importing TensorFlow took


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """One training run, as the child needs it."""

    model: str
    recipe: SeriesRecipe | TextRecipe
    dataset: Path  # app.reading.content bytes
    dataset_id: str | None  # None: of no registry, as for the shipped models
    dataset_sha256: str  # of the uploaded file
    target: str | None  # a column; None: the first
    output_dir: Path  # empty; becomes the artifact
    checkpoint_dir: Path  # the newest checkpoint if the run goes on, else empty
    test: Path | None = None  # content bytes of a test set
    test_dataset_id: str | None = None
    start_from: Path | None = None  # artifact folder to warm-start from
    start_from_name: str | None = None  # NAME@N of that artifact


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the run is. Epochs count over the stage."""

    stage: str  # loading, compiling, training, calibrating, judging, refitting, exporting
    epoch: int | None = None
    epochs: int | None = None
    loss: float | None = None
    validation_loss: float | None = None
    eta_seconds: float | None = None  # for all that is left of the run


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A file that a later run can go on from; the child does not touch it any more."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The artifact is complete in the request's `output_dir`."""


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The run ended because it was told to; a last `Checkpoint` came before, if there was one."""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The run cannot succeed; trying again would not help."""

    problem: dict[str, Any]  # as app.errors draws it


@dataclass(frozen=True, kw_only=True)
class Stop:
    """End now. With `checkpoint`, leave one first."""

    checkpoint: bool


Event = Ready | Progress | Checkpoint | Finished | Stopped | Failed
