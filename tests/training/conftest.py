"""Train on small datasets in this process."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from app.artifact.files import read_artifact
from app.reading.content import DatasetContent
from app.training.run import run_training
from tests.training.runs import Artifact, Recorder, Train, request_of


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Train with a recipe on a dataset, and read the artifact."""
    runs = 0

    def run(
        content: DatasetContent,
        recipe: dict[str, Any],
        *,
        control: Recorder | None = None,
        **given: Any,  # noqa: ANN401
    ) -> Artifact:
        nonlocal runs
        runs += 1
        request = request_of(tmp_path / f"run{runs}", content, recipe, **given)
        run_training(request, control or Recorder())
        shutil.rmtree(request.checkpoint_dir)
        manifest, scorecard = read_artifact(request.output_dir)
        return Artifact(folder=request.output_dir, manifest=manifest, scorecard=scorecard)

    return run
