"""A training that runs on the service."""

import time
from typing import Any, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from stepahead.connection import Connection, Json
from stepahead.errors import JobFailed, NotReachable

FINAL = frozenset({"succeeded", "failed", "cancelled"})
POLL_SECONDS = 1.0
PATIENCE_SECONDS = 30.0  # long enough for a restart of the service


class Job:
    """A training; `state` is the job as the service last showed it."""

    def __init__(self, connection: Connection, state: Json) -> None:
        self._connection = connection
        self.state = state

    def __repr__(self) -> str:
        return f"Job({self.id!r}, model={self.model!r}, status={self.status!r})"

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.state["id"])

    @property
    def model(self) -> str:
        """Name of the model that it trains."""
        return str(self.state["model"])

    @property
    def status(self) -> str:
        """Queued, running, succeeded, failed or cancelled."""
        return str(self.state["status"])

    @property
    def version(self) -> int | None:
        """Number of the trained version; None until the job has succeeded."""
        number: int | None = self.state.get("version")
        return number

    def refresh(self) -> Self:
        """Ask the service for the state of the job."""
        self.state = self._connection.get(f"/jobs/{self.id}")
        return self

    def cancel(self) -> Self:
        """Cancel the job."""
        self.state = self._connection.post(f"/jobs/{self.id}/cancel", {})
        return self

    def wait(self, *, progress: bool = False) -> Self:
        """Return when the job has succeeded.

        Args:
            progress: show a progress bar.

        Raises:
            JobFailed: it failed or was cancelled.
            NotReachable: the service was away for half a minute.
        """
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, disable=not progress, transient=True) as bar:
            task = bar.add_task(self.model, total=None)
            last_heard = time.monotonic()
            while self.status not in FINAL:
                time.sleep(POLL_SECONDS)
                try:
                    self.refresh()
                    last_heard = time.monotonic()
                except NotReachable:
                    if time.monotonic() - last_heard > PATIENCE_SECONDS:
                        raise
                done: dict[str, Any] = self.state.get("progress") or {}
                bar.update(
                    task,
                    description=f"{self.model}: {done.get('stage') or self.status}",
                    completed=done.get("epoch") or 0,
                    total=done.get("epochs"),
                )
        if self.status != "succeeded":
            raise JobFailed(self.state)
        return self
