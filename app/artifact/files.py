"""The files of an artifact, the names of its graph's tensors, and how they are read.

An artifact is data and cannot run code: `manifest.json`, `model.onnx`, `weights.safetensors`,
`scorecard.json` and, where the network was fitted again after judging, `judged.onnx`.
"""

from pathlib import Path

from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard

MANIFEST = "manifest.json"
MODEL = "model.onnx"
WEIGHTS = "weights.safetensors"
SCORECARD = "scorecard.json"
JUDGED = "judged.onnx"
REQUIRED_FILES = (MANIFEST, MODEL, WEIGHTS, SCORECARD)
ARTIFACT_FILES = (*REQUIRED_FILES, JUDGED)

# Names of the graph's tensors. Series: `history` double (batch, window, features), the columns in
# the order of `features`, raw values; `forecast` double (batch, horizon), raw values. Where there
# are intervals, `levels` int64 (levels,), whole numbers from 50 to 99, which may be left out; and
# `intervals` double (batch, steps, levels, 2), low and high, of the first steps of the horizon.
# Text: `tokens` int64 (batch, steps) ids; `probabilities` float (batch, vocabulary) of what follows
# the last token. Stream text also takes `lengths` int32 (batch,), how many of the steps are real
# (so that texts of unlike length share one run), and every state of `Manifest.states`, float
# (1, batch, units), zero at the start; it gives each state back as NAME_out, after `lengths` steps.
HISTORY = "history"
FORECAST = "forecast"
LEVELS = "levels"
INTERVALS = "intervals"
TOKENS = "tokens"
LENGTHS = "lengths"
PROBABILITIES = "probabilities"


def file_of(model: str, number: int, file: str) -> str:
    """Name a file of a version for people: "model.onnx of version 3 of 'prices'"."""
    return f"{file} of version {number} of {model!r}"


def read_artifact(folder: Path) -> tuple[Manifest, Scorecard]:
    """Manifest and scorecard of an artifact folder.

    Raises:
        FileNotFoundError: a file of the format is missing; the message names it.
        pydantic.ValidationError: a file is not of the format.
    """
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} is no artifact: {', '.join(missing)} missing")
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    scorecard = Scorecard.model_validate_json((folder / SCORECARD).read_bytes())
    return manifest, scorecard
