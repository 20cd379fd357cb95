"""Provide small generated datasets, and read what trainings on them leave."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from app.artifact.files import JUDGED, MODEL
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.assessments.evaluations.limits import Network
from app.assessments.evaluations.measuring import Measurement
from app.jobs.messages import Progress, TrainingRequest
from app.reading.content import DatasetContent, SeriesContent, TextContent
from app.recipes.recipe import Kind
from app.recipes.resolve import resolve_recipe
from app.training.control import StopRequestedError


@dataclass
class Recorder:
    """A control that records what it receives, and stops at a certain check."""

    stop_at: int | None = None
    leave_checkpoint: bool = True
    progressed: list[Progress] = field(default_factory=list)
    checkpoints: list[Path] = field(default_factory=list)
    looks: int = 0

    def progress(self, progress: Progress) -> None:
        self.progressed.append(progress)

    def checkpoint(self, path: Path) -> None:
        self.checkpoints.append(path)

    def check(self) -> None:
        self.looks += 1
        if self.looks == self.stop_at:
            raise StopRequestedError(checkpoint=self.leave_checkpoint)

    @property
    def stages(self) -> list[str]:
        """Return the stages in order, without repeats."""
        return list(dict.fromkeys(progress.stage for progress in self.progressed))


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A finished training."""

    folder: Path
    manifest: Manifest
    scorecard: Scorecard

    def bytes_of(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


Train = Callable[..., Artifact]


def evaluated(
    artifact: Artifact, on: DatasetContent, trained_on: DatasetContent, network: Network
) -> Scorecard:
    """Return the artifact's scorecard on another dataset, as `POST …/evaluate` computes it."""
    dataset, training = artifact.folder / "other", artifact.folder / "own"
    dataset.write_bytes(on.to_bytes())
    training.write_bytes(trained_on.to_bytes())
    return Measurement(
        manifest=artifact.manifest,
        scorecard=artifact.scorecard,
        network=network,
        graph=artifact.folder / (JUDGED if network == "judged" else MODEL),
        dataset=dataset,
        training=training,
        field="dataset",
    ).run()


def series_of(
    values: np.ndarray[Any, Any],
    *,
    columns: tuple[str, ...] = ("value",),
    start: str | None = "2020-01-01",
) -> SeriesContent:
    """Return a daily series; values (rows,) or (rows, columns)."""
    table = np.asarray(values, np.float64).reshape(len(values), -1)
    times = None
    if start is not None:
        times = np.datetime64(start, "D") + np.arange(len(table))
        times = times.astype("datetime64[us]")
    return SeriesContent(
        columns=columns,
        values=table,
        times=times,
        offsets=None,
        time_form=None if times is None else "date",
        frequency=None if times is None else "D",
        labels=("",),
        series=np.zeros(len(table), np.int32),
    )


def long_file(values: Sequence[np.ndarray[Any, Any]], *, to_one_end: bool = False) -> SeriesContent:
    """Return daily series s0, s1, … in one file, with the same first or last day."""
    longest = max(len(own) for own in values)
    days = np.datetime64("2020-01-01", "D") + np.arange(longest)
    own_days = [days[longest - len(own) if to_one_end else 0 :][: len(own)] for own in values]
    return SeriesContent(
        columns=("value",),
        values=np.concatenate(values)[:, None],
        times=np.concatenate(own_days).astype("datetime64[us]"),
        offsets=None,
        time_form="date",
        frequency="D",
        labels=tuple(f"s{number}" for number in range(len(values))),
        series=np.repeat(np.arange(len(values), dtype=np.int32), [len(own) for own in values]),
    )


def wave(rows: int, *, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return a sine around 100 with a period of 12 rows and a little noise."""
    noise = np.random.default_rng(seed).normal(0.0, 0.1, rows)
    return np.asarray(100.0 + 10.0 * np.sin(np.arange(rows) * 2 * np.pi / 12) + noise)


def request_of(
    folder: Path,
    content: DatasetContent,
    recipe: dict[str, Any],
    *,
    test: DatasetContent | None = None,
    **given: Any,  # noqa: ANN401
) -> TrainingRequest:
    """Return a request with files in `folder`; output and checkpoints are kept between calls."""
    for name in ("output", "checkpoints"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "dataset").write_bytes(content.to_bytes())
    if test is not None:
        (folder / "test").write_bytes(test.to_bytes())
    kind: Kind = "text" if isinstance(content, TextContent) else "series"
    return TrainingRequest(
        model="trial",
        recipe=resolve_recipe(kind, recipe),
        dataset=folder / "dataset",
        dataset_id="dataset-1",
        dataset_sha256="0" * 64,
        target=given.pop("target", None),
        output_dir=folder / "output",
        checkpoint_dir=folder / "checkpoints",
        test=None if test is None else folder / "test",
        **given,
    )


# A network that compiles in about a second; always the same shape, so that tests share it.
SMALL: dict[str, Any] = {
    "preset": "default",
    "cell": "rnn",
    "layers": [4],
    "window": 6,
    "horizon": 1,
    "anchor": "persistence",
    "epochs": 4,
    "early_stopping": 2,
}
# Words as tokens, and the network alone.
WORDS: dict[str, Any] = {
    "preset": "default",
    "tokenizer": "word",
    "unknown": "warn",
    "anchor": "none",
    "dropout": 0.0,
    "token_budget": None,
    "schedule": "constant",
    "learning_rate": 0.003,
    "validation_fraction": 0.1,
    "test_fraction": 0.2,
    "refit": True,
}
SMALL_TEXT: dict[str, Any] = {
    **WORDS,
    "cell": "rnn",
    "layers": [6],
    "embedding": 3,
    "truncate": 8,
    "batch_size": 4,
    "epochs": 4,
    "early_stopping": 2,
    "min_count": 1,
}
