"""Write an artifact: all files of a version, or none."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from pydantic import BaseModel
from safetensors.numpy import load_file, save_file

from app.artifact.files import JUDGED, MANIFEST, MODEL, SCORECARD, WEIGHTS
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Epoch, Scorecard
from app.forecasting.anchors import PREFIX
from app.training.architecture import Weights

EPOCHS_KEPT = 2000
LIBRARIES = ("keras", "numpy", "onnx", "onnxruntime")


def write_artifact(
    folder: Path,
    *,
    manifest: Manifest,
    scorecard: Scorecard,
    weights: Mapping[str, npt.NDArray[Any]],
    graph: bytes,
    judged_graph: bytes | None,
) -> None:
    """Write every file of the format; the manifest last, so that a folder with one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL).write_bytes(graph)
    if judged_graph is not None:
        (folder / JUDGED).write_bytes(judged_graph)
    contiguous = {name: np.ascontiguousarray(array) for name, array in weights.items()}
    save_file(contiguous, folder / WEIGHTS)
    _write_json(folder / SCORECARD, scorecard)
    _write_json(folder / MANIFEST, manifest)


def read_weights(folder: Path) -> Weights:
    """Read the weights of an artifact's network by name, without other arrays in the file."""
    stored: Weights = load_file(folder / WEIGHTS)
    return {name: array for name, array in stored.items() if not name.startswith(PREFIX)}


def thinned(epochs: tuple[Epoch, ...]) -> tuple[Epoch, ...]:
    """Return evenly spaced epochs, including the first and the last, if there are too many."""
    if len(epochs) <= EPOCHS_KEPT:
        return epochs
    chosen = np.linspace(0, len(epochs) - 1, EPOCHS_KEPT).round().astype(int)
    return tuple(epochs[index] for index in chosen)


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries on which the weights depend."""
    # TensorFlow's distribution has several names; the module knows its version.
    return {name: version(name) for name in LIBRARIES} | {"tensorflow": str(tf.__version__)}


def now() -> datetime:
    """Return the current time to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def _write_json(path: Path, value: BaseModel) -> None:
    text = json.dumps(value.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
