"""Save a run's state in a file, from which it continues as if it had not been interrupted.

The file has the safetensors format: tensors by name, and under the metadata key `checkpoint` a JSON
object with the other values. Nothing in it can run code. The shuffle needs no state, because the
order of an epoch follows from the seed and the epoch's number.
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
    """The content of a checkpoint."""

    run: str  # `run_key` of its run
    values: dict[str, Any] = field(default_factory=dict)  # can be written as JSON
    arrays: Arrays = field(default_factory=dict)


def run_key(request: TrainingRequest) -> str:
    """Return the name of a run; a different recipe, dataset or start gives a different name."""
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
    """Write the next checkpoint in a folder; it appears under its name only when complete."""
    newest = newest_checkpoint(folder)
    number = 1 if newest is None else int(newest.stem) + 1
    path = folder / f"{number:06d}{SUFFIX}"
    partial = path.with_suffix(".partial")
    header = json.dumps({"format": FORMAT, "run": saved.run, "values": saved.values})
    # Not ascontiguousarray, which would turn a number into a vector.
    contiguous = {name: np.asarray(array, order="C") for name, array in saved.arrays.items()}
    save_file(contiguous, partial, metadata={"checkpoint": header})
    partial.replace(path)
    return path


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint with the highest number in a folder."""
    return max(
        (path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit()),
        key=lambda path: int(path.stem),
        default=None,
    )


def read_checkpoint(folder: Path, *, run: str) -> Saved | None:
    """Return the newest checkpoint of a run.

    None if there is none, or if it is damaged or belongs to another run. Starting over gives the
    same weights, only later.
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
