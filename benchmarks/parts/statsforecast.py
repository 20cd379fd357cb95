"""Forecast with statsforecast in a separate virtual environment, created once and kept.

    forecasts = reference_forecasts([Task(values=history, season=12, horizon=18)])
    forecasts[0]["AutoTheta"]  # 18 values

Each task's forecasts are kept on disk, so that a second run computes nothing.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.parts.environment import Environment

ENVIRONMENT = Environment(
    name=".statsforecast",
    reference="statsforecast",
    requirements=("statsforecast==2.1.1",),
    module="statsforecast",
    seconds=300,
)
AUTOMATIC = ("AutoETS", "AutoTheta", "AutoARIMA")
# With a longer season, AutoARIMA takes more than five minutes for 500 values of one series
# (November 2026), and AutoETS supports none. Both are fitted without it.
LONGEST_SEASON = 24
MODELS = (*AUTOMATIC, "SeasonalNaive")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A history to be continued."""

    values: Floats  # oldest first, without gaps
    season: int  # rows in it; 1: none
    horizon: int
    models: tuple[str, ...] = MODELS

    def key(self, model: str) -> str:
        """Return the cache key of this task's forecast by a model."""
        digest = hashlib.sha256(np.ascontiguousarray(self.values, np.float64).tobytes())
        digest.update(f"{self.season} {self.horizon} {model} {ENVIRONMENT.requirements}".encode())
        return digest.hexdigest()[:32]


def reference_forecasts(tasks: Sequence[Task]) -> list[dict[str, Floats]] | None:
    """Return the forecasts of every task by model, or None if statsforecast is absent."""
    python = ENVIRONMENT.python()
    if python is None:
        return None
    cache = ENVIRONMENT.folder / "forecasts"
    cache.mkdir(exist_ok=True)
    wanted = {
        (cache / f"{task.key(model)}.json"): (task, model)
        for task in tasks
        for model in task.models
    }
    missing = {path: what for path, what in wanted.items() if not path.exists()}
    if missing:
        _compute(python, missing)
    return [
        {
            model: np.array(json.loads((cache / f"{task.key(model)}.json").read_text()))
            for model in task.models
        }
        for task in tasks
    ]


def _compute(python: Path, missing: dict[Path, tuple[Task, str]]) -> None:
    script = Path(__file__).with_name("statsforecast_models.py")
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        [str(python), "-P", str(script)],  # -P: this folder has a module of the same name
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the child has no pipes")
        for path, (task, model) in missing.items():
            is_too_long = model == "AutoARIMA" and task.season > LONGEST_SEASON
            question = {
                "values": task.values.tolist(),
                "season": 1 if is_too_long else task.season,
                "horizon": task.horizon,
                "model": model,
            }
            print(json.dumps(question), file=child.stdin, flush=True)
            answer = child.stdout.readline()
            if not answer:
                raise RuntimeError(f"statsforecast ended at {model} of {len(task.values)} values")
            partial = path.with_suffix(".partial")
            partial.write_text(answer)
            partial.replace(path)
        child.stdin.close()
