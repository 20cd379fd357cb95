"""PyTorch in a virtual environment of the benchmarks' own, made at the first run and kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

ENVIRONMENT = Path(__file__).parents[1] / ".pytorch"
REQUIREMENTS = ("torch==2.13.0", "numpy")  # a build for the processor alone where pip finds one
INSTALLING_SECONDS = 150

Floats = npt.NDArray[np.float32]


def interpreter() -> Path | None:
    """The environment's Python; None where PyTorch cannot be installed."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "installed"
    if done.exists():
        return python
    try:
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)],
            [str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS],
            [str(python), "-c", "import torch"],
        ):
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALLING_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"PyTorch cannot be installed, so it is no reference here: {error}")
        return None
    done.touch()
    return python


def train(
    python: Path, inputs: Floats, targets: Floats, *, units: int, epochs: int, batch_size: int
) -> tuple[float, float]:
    """Seconds and final loss of an LSTM trained the way PyTorch's own tutorials do.

    Args:
        python: of the environment.
        inputs: (windows, steps, features).
        targets: (windows, outputs).
        units: of the LSTM.
        epochs: passes over all windows.
        batch_size: windows per update.
    """
    folder = ENVIRONMENT / "data"
    folder.mkdir(exist_ok=True)
    np.savez(folder / "windows.npz", inputs=inputs, targets=targets)
    script = Path(__file__).with_name("pytorch_lstm.py")
    command = [str(python), str(script), str(folder / "windows.npz")]
    command += [str(number) for number in (units, epochs, batch_size)]
    # As many threads as it takes by itself: `make` sets one for everybody.
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout
    measured = json.loads(output.splitlines()[-1])
    return measured["seconds"], measured["loss"]
