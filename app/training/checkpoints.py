"""A run's state in one file, from which it goes on as if nothing had happened.

A safetensors file: tensors by name, and under the metadata key `checkpoint` a JSON object with the
numbers beside them. Nothing in it can run code. The shuffle needs no state of its own: the order of
an epoch follows from the seed and the epoch's number.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from app.jobs.messages import TrainingRequest

FORMAT = 1
SUFFIX = ".safetensors"
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What a checkpoint holds."""

    run: str  # `run_key` of the run it belongs to
    values: dict[str, Any] = field(default_factory=dict)  # JSON-able
    arrays: Arrays = field(default_factory=dict)


def run_key(request: TrainingRequest) -> str:
    """Names the run: a checkpoint of another recipe, data or start is not one of this run."""
    identity = [
        FORMAT,
        request.recipe.model_dump(mode="json"),
        hashlib.sha256(request.dataset.read_bytes()).hexdigest(),
        request.target,
        hashlib.sha256(request.test.read_bytes()).hexdigest() if request.test else None,
        request.start_from_name,
    ]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def write_checkpoint(folder: Path, saved: Saved) -> Path:
    """Writes the next checkpoint of a folder; complete under its name, or not there at all."""
    newest = newest_checkpoint(folder)
    number = 1 if newest is None else int(newest.stem) + 1
    path = folder / f"{number:06d}{SUFFIX}"
    partial = path.with_suffix(".partial")
    header = json.dumps({"format": FORMAT, "run": saved.run, "values": saved.values})
    # Not ascontiguousarray, which would make a vector of a number.
    contiguous = {name: np.asarray(array, order="C") for name, array in saved.arrays.items()}
    save_file(contiguous, partial, metadata={"checkpoint": header})
    partial.replace(path)
    return path


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint with the highest number in a folder."""
    return max(
        (path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit()),
        key=lambda path: int(path.stem),
        default=None,
    )


def read_checkpoint(folder: Path, *, run: str) -> Saved | None:
    """The newest checkpoint of a run.

    None if there is none, if it is broken, or if it is another run's: starting over gives the same
    weights, only later.
    """
    path = newest_checkpoint(folder)
    if path is None:
        return None
    try:
        with safe_open(path, framework="numpy") as stored:
            header = json.loads((stored.metadata() or {})["checkpoint"])
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, OSError):
        return None
    if header.get("format") != FORMAT or header.get("run") != run:
        return None
    return Saved(run=run, values=header["values"], arrays=arrays)
