"""Virtual environments of the references, each created once and kept."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment beside the benchmarks, with a reference in it."""

    name: str  # of the folder
    reference: str  # as it is called in messages
    requirements: tuple[str, ...]
    module: str  # whose import proves that the installation works
    seconds: float  # that each step of the installation may take

    @property
    def folder(self) -> Path:
        """Return where the environment is, or will be."""
        return Path(__file__).parents[1] / self.name

    def python(self) -> Path | None:
        """Return the environment's Python, or None, with a printed reason, if it has none."""
        python = self.folder / "bin" / "python"
        done = self.folder / "installed"
        if done.exists():
            return python
        try:
            for command in (
                [sys.executable, "-m", "venv", "--clear", str(self.folder)],
                [str(python), "-m", "pip", "install", "--quiet", *self.requirements],
                [str(python), "-c", f"import {self.module}"],
            ):
                subprocess.run(command, check=True, capture_output=True, timeout=self.seconds)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"{self.reference} cannot be installed, so it is no reference here: {error}")
            return None
        done.touch()
        return python
