"""Follow a job's events until it ends, or until Ctrl-C."""

import time
from collections.abc import Iterator
from enum import Enum
from http import HTTPStatus

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.prompt import Prompt

from app.terminal.client import NotThere, Service
from app.terminal.rendering.figures import duration
from app.terminal.rendering.problems import CommandError, Refused, problem_text
from stepahead.connection import Json

FINAL = frozenset({"succeeded", "failed", "cancelled"})
RECONNECT_SECONDS = 1.0
BAR = 16  # columns of 80
PATIENCE_SECONDS = 30.0  # long enough for a restart of the service


class Left(Enum):
    """How the user left a job."""

    RUNNING = "it continues without you"
    CANCELLED = "it is cancelled"


def follow(service: Service, job: Json, console: Console) -> Json | Left:
    """Show a job's progress until it ends; Ctrl-C asks what to do.

    Returns:
        The job as it ended, or how the user left it.

    Raises:
        CommandError: the service does not come back.
    """
    while True:
        try:
            return _shown(service, job, console)
        except KeyboardInterrupt:
            left = _ask(service, job, console)
            if left is not None:
                return left


def ended_badly(job: Json) -> CommandError | None:
    """Return why a job did not succeed, or None if it did."""
    if job["status"] == "succeeded":
        return None
    if job["status"] == "cancelled":
        return CommandError(f"job {job['id']} was cancelled")
    problem = job.get("error") or {}
    return CommandError(problem_text(problem.get("status", 500), problem))


def states_of(service: Service, job_id: str) -> Iterator[Json]:
    """Yield the job at every change until it has ended, across broken connections and restarts."""
    last_heard = time.monotonic()
    while True:
        try:
            for job in service.events(f"/jobs/{job_id}/events"):
                last_heard = time.monotonic()
                yield job
                if job["status"] in FINAL:
                    return
        except CommandError as error:
            if not _may_come_back(error) or time.monotonic() - last_heard > PATIENCE_SECONDS:
                raise
        time.sleep(RECONNECT_SECONDS)


def _may_come_back(error: CommandError) -> bool:
    """Return whether the service may be restarting."""
    if isinstance(error, Refused):
        return error.status == HTTPStatus.SERVICE_UNAVAILABLE
    return isinstance(error, NotThere)


def _shown(service: Service, job: Json, console: Console) -> Json:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=BAR),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(_stage(job), total=None, figures="")
        whole: Json | None = None
        for state in states_of(service, job["id"]):
            job = state
            done = job.get("progress") or {}
            if whole is None and done.get("epoch"):
                whole = service.get(f"/jobs/{job['id']}")  # events have no curve
            progress.update(
                task,
                description=_stage(job),
                completed=done.get("epoch") or 0,
                total=done.get("epochs"),
                figures=_figures(done, loss_to_beat(whole)),
            )
    return job


def _stage(job: Json) -> str:
    if job["status"] == "queued":
        return str(job.get("note") or "waiting for a worker")
    return str((job.get("progress") or {}).get("stage") or job["status"])


def progress_text(job: Json) -> str:
    """Return a job's progress in one line, or an empty text."""
    if job["status"] not in {"queued", "running"}:
        return ""
    return ", ".join(part for part in (_stage(job), _figures(job.get("progress") or {})) if part)


def loss_to_beat(job: Json | None) -> float | None:
    """Return the validation loss of the simple forecast that an anchored network is added to.

    Before its first epoch the network is that forecast.
    """
    recipe = (job or {}).get("recipe") or {}
    if job is None or recipe.get("anchor", "none") == "none" or job.get("start_from") is not None:
        return None
    points = [each for each in job["curve"] if each["stage"] == "training" and each["epoch"] == 0]
    return points[0]["validation_loss"] if points else None


def _figures(done: Json, to_beat: float | None = None) -> str:
    parts = []
    if done.get("epochs"):
        parts.append(f"epoch {done.get('epoch') or 0} of {done['epochs']}")
    if done.get("validation_loss") is not None:
        parts.append(f"loss {done['validation_loss']:.4g}")
    elif done.get("loss") is not None:
        parts.append(f"loss {done['loss']:.4g}")
    if to_beat is not None:
        parts.append(f"to beat {to_beat:.4g}")
    if done.get("eta_seconds") is not None:
        parts.append(f"{duration(done['eta_seconds'])} left")
    return ", ".join(parts)


def _ask(service: Service, job: Json, console: Console) -> Left | None:
    """Ask what to do about the job and do it; return None to keep following."""
    if not console.is_terminal:
        return Left.RUNNING
    try:
        answer = Prompt.ask(
            f"\nJob {job['id']}: [bold]l[/]eave it running, [bold]c[/]ancel it, or [bold]s[/]tay",
            choices=["l", "c", "s"],
            default="l",
            console=console,
        )
    except (KeyboardInterrupt, EOFError):
        return Left.RUNNING
    if answer == "c":
        service.post(f"/jobs/{job['id']}/cancel")
        return Left.CANCELLED
    return Left.RUNNING if answer == "l" else None
