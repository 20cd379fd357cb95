"""Train with PyTorch in a separate virtual environment, created at the first run and kept."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.parts.environment import Environment

ENVIRONMENT = Environment(
    name=".pytorch",
    reference="PyTorch",
    requirements=("torch==2.13.0", "numpy"),  # CPU-only build, if pip finds one
    module="torch",
    seconds=150,
)

Floats = npt.NDArray[np.float32]


def train(
    python: Path, inputs: Floats, targets: Floats, *, units: int, epochs: int, batch_size: int
) -> tuple[float, float]:
    """Train an LSTM as in PyTorch's own tutorials, and return seconds and final loss.

    Args:
        python: of the environment.
        inputs: (windows, steps, features).
        targets: (windows, outputs).
        units: of the LSTM.
        epochs: passes over all windows.
        batch_size: windows per update.
    """
    folder = ENVIRONMENT.folder / "data"
    folder.mkdir(exist_ok=True)
    np.savez(folder / "windows.npz", inputs=inputs, targets=targets)
    script = Path(__file__).with_name("pytorch_lstm.py")
    command = [str(python), str(script), str(folder / "windows.npz")]
    command += [str(number) for number in (units, epochs, batch_size)]
    # PyTorch's default number of threads; `make` sets one for all programs.
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout
    measured = json.loads(output.splitlines()[-1])
    return measured["seconds"], measured["loss"]
