"""Name an artifact's files and its graph's tensors, and read manifest and scorecard.

An artifact is data and cannot run code: `manifest.json`, `model.onnx`, `weights.safetensors`,
`scorecard.json` and, if the network was refitted after judging, `judged.onnx`.
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

# Names of the graph's tensors. Series: `history` double (batch, window, features), raw values with
# the columns in the order of `features`; `forecast` double (batch, horizon), raw values. A graph
# with intervals also has an optional input `levels` int64 (levels,), whole numbers from 50 to 99,
# and an output `intervals` double (batch, steps, levels, 2), low and high, for the first steps of
# the horizon. A graph that tells series apart has an optional input `series` int64 (batch,): the
# position of each among the manifest's labels, counted from 1, or 0 for any other series. A graph
# of columns known ahead has an input `future` double (batch, horizon, known), their values for the
# steps ahead, in the order of the manifest's `known`. A graph for any series (`universal`) has an
# optional input `periods` int64 (batch or 1, periods), the rows in a season and in a longer one, 0
# for none. Its missing values, and those before a history begins, are NaN. A graph that contains
# `universal` has an output `universal_forecast` double (batch, horizon), its part of the anchor.
# Text: `tokens` int64 (batch, steps), ids; `probabilities` float (batch, vocabulary)
# of the token after the last. A stream also takes `lengths` int32 (batch,), the number of real
# steps in each row (so that texts of different lengths can share a run), and every state of
# `Manifest.states`, float (1, batch, units), zero at the start. It returns each state after
# `lengths` steps as NAME_out.
HISTORY = "history"
FORECAST = "forecast"
LEVELS = "levels"
INTERVALS = "intervals"
SERIES = "series"
FUTURE = "future"
UNIVERSAL_FORECAST = "universal_forecast"
SEASON_PERIODS = "periods"
TOKENS = "tokens"
LENGTHS = "lengths"
PROBABILITIES = "probabilities"


def file_of(model: str, number: int, file: str) -> str:
    """Name a file of a version for people: "model.onnx of version 3 of 'prices'"."""
    return f"{file} of version {number} of {model!r}"


def read_artifact(folder: Path) -> tuple[Manifest, Scorecard]:
    """Read manifest and scorecard of an artifact folder.

    Raises:
        FileNotFoundError: a file of the format is missing; the message names it.
        pydantic.ValidationError: a file does not have the expected form.
    """
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} is not an artifact: {', '.join(missing)} missing")
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    scorecard = Scorecard.model_validate_json((folder / SCORECARD).read_bytes())
    return manifest, scorecard
