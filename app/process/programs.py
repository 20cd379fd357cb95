"""What the children of a supervisor run: our own command line again."""

import os
import sys
from collections.abc import Mapping
from socket import socket

from app.config import Settings
from app.process.children import Program
from app.process.lifeline import Lifeline

# Beyond draining: an api process's last commit, a worker's last checkpoint. Both end by themselves
# before that.
CLOSING_SECONDS = 10.0


def python_module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs one of our modules, whatever the working directory holds.

    Without `-P`, Python would look for the module in the working directory first, and a folder with
    an `app.py` of its own would be run instead.
    """
    return (sys.executable, "-P", "-m", name, *arguments)


def child_environment(settings: Settings, database_url: str) -> dict[str, str]:
    """Our environment with what was decided here, the database's URL above all."""
    decided = {
        "STEPAHEAD_DATABASE_URL": database_url,
        "STEPAHEAD_STORE_URL": settings.resolved_store_url,
        "STEPAHEAD_DATA_DIR": str(settings.resolved_data_dir),
        # They write to a pipe, and only we know whether a person reads what comes of it.
        "STEPAHEAD_LOG_FORMAT": settings.log_format
        if settings.log_format != "auto"
        else ("console" if sys.stderr.isatty() else "json"),
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **decided}


def grace_seconds(settings: Settings) -> float:
    """How long a process that was asked to end may take before it is killed."""
    return settings.drain_seconds + CLOSING_SECONDS


def api_program(
    settings: Settings,
    number: int,
    *,
    listener: socket,
    lifeline: Lifeline,
    environment: Mapping[str, str],
) -> Program:
    """The `number`-th api process, counted from 1."""
    inherited = (listener.fileno(), lifeline.reading_end)
    return Program(
        name="api" if settings.api_processes == 1 else f"api {number}",
        command=_ourselves("api", "--listener", str(inherited[0]), "--lifeline", str(inherited[1])),
        environment=environment,
        inherited=inherited,
        grace_seconds=grace_seconds(settings),
    )


def worker_program(
    settings: Settings, number: int, *, lifeline: Lifeline, environment: Mapping[str, str]
) -> Program:
    """The `number`-th worker, counted from 1."""
    return Program(
        name="worker" if settings.workers == 1 else f"worker {number}",
        command=_ourselves("worker", "--lifeline", str(lifeline.reading_end)),
        environment=environment,
        inherited=(lifeline.reading_end,),
        grace_seconds=grace_seconds(settings),
    )


def _ourselves(*arguments: str) -> tuple[str, ...]:
    return python_module("app.cli", *arguments)
