"""Build the command lines of a supervisor's children: our own command line again."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from app.config import Settings
from app.process.children import Program
from app.process.lifeline import Lifeline
from app.process.shared_figures import Slot

# In addition to draining: an api process's last commit, a worker's last checkpoint. Both normally
# end earlier by themselves.
CLOSING_SECONDS = 10.0


def python_module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs one of our modules, whatever the working directory contains.

    Without `-P`, Python would search the working directory first, and a folder with an `app.py` of
    its own would run instead.
    """
    return (sys.executable, "-P", "-m", name, *arguments)


def child_environment(settings: Settings, database_url: str) -> dict[str, str]:
    """Return our environment with the values decided here, such as the database's URL."""
    decided = {
        "STEPAHEAD_DATABASE_URL": database_url,
        "STEPAHEAD_STORE_URL": settings.resolved_store_url,
        "STEPAHEAD_DATA_DIR": str(settings.resolved_data_dir),
        # Children write to a pipe; only this process knows whether its output goes to a terminal.
        "STEPAHEAD_LOG_FORMAT": settings.log_format
        if settings.log_format != "auto"
        else ("console" if sys.stderr.isatty() else "json"),
        "PYTHONUNBUFFERED": "1",
    }
    # A file that held the URL was read here; with both of them a child would refuse to choose.
    inherited = {k: v for k, v in os.environ.items() if k != "STEPAHEAD_DATABASE_URL_FILE"}
    return {**inherited, **decided}


def grace_seconds(settings: Settings) -> float:
    """Return how long a process that was asked to end may take before it is killed."""
    return settings.drain_seconds + CLOSING_SECONDS


@dataclass(frozen=True, kw_only=True)
class Inherited:
    """The file descriptors that an api process inherits from its supervisor."""

    listener: int
    lifeline: int
    board: int
    figures: Slot

    @classmethod
    def parse(cls, text: str) -> "Inherited":
        """Parse the text that `str` returns."""
        listener, lifeline, board, figures = text.split(":")
        return cls(
            listener=int(listener),
            lifeline=int(lifeline),
            board=int(board),
            figures=Slot.parse(figures),
        )

    def __str__(self) -> str:
        return f"{self.listener}:{self.lifeline}:{self.board}:{self.figures}"

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All descriptors."""
        return (self.listener, self.lifeline, self.board, *self.figures.descriptors)


def api_program(
    settings: Settings, number: int, *, inherited: Inherited, environment: Mapping[str, str]
) -> Program:
    """Return the program of the `number`-th api process, counted from 1."""
    return Program(
        name="api" if settings.api_processes == 1 else f"api {number}",
        command=python_module("app.cli", "api", "--inherited", str(inherited)),
        environment=environment,
        inherited=inherited.descriptors,
        grace_seconds=grace_seconds(settings),
    )


def worker_program(
    settings: Settings, number: int, *, lifeline: Lifeline, environment: Mapping[str, str]
) -> Program:
    """Return the program of the `number`-th worker, counted from 1."""
    return Program(
        name="worker" if settings.workers == 1 else f"worker {number}",
        command=python_module("app.cli", "worker", "--lifeline", str(lifeline.reading_end)),
        environment={**environment, **_port_of_worker(settings, number)},
        inherited=(lifeline.reading_end,),
        grace_seconds=grace_seconds(settings),
        is_vital=False,  # predictions are answered without a worker
    )


def _port_of_worker(settings: Settings, number: int) -> dict[str, str]:
    """Give each worker of a machine its own port: the port in the settings and those after it."""
    if not settings.worker_port:
        return {}
    return {"STEPAHEAD_WORKER_PORT": str(settings.worker_port + number - 1)}
