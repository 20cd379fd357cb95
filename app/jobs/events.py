"""Progress as server-sent events: one poll of the database serves all listeners here."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from uuid import UUID

from fastapi import FastAPI
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.http.health import Health
from app.jobs import queue
from app.jobs.schemas import JobSummary
from app.storage.job_status import FINAL
from app.storage.resources import Resources

LOOK_SECONDS = 0.4
KEEPALIVE_SECONDS = 15.0
LAST_EVENT = "last"  # a browser that reconnects with this id is told to stop


class JobWatch:
    """The jobs that somebody listens to, polled together a few times a second."""

    def __init__(self, sessions: sessionmaker[Session], health: Health) -> None:
        self._sessions = sessions
        self._health = health
        self._listeners: Counter[UUID] = Counter()
        self._known: dict[UUID, JobSummary] = {}
        self._looked = asyncio.Condition()

    async def events(self, job_id: UUID) -> AsyncIterator[bytes]:
        """Yield each change of a job as an event."""
        async with aclosing(self.changes(job_id)) as changes:
            async for job in changes:
                yield KEEPALIVE_COMMENT if job is None else _event(job)

    async def changes(self, job_id: UUID) -> AsyncGenerator[JobSummary | None]:
        """Yield each change of a job until its final state, or until this process stops.

        None stands for some seconds without a change.
        """
        self._listeners[job_id] += 1
        told: JobSummary | None = None
        silent_since = asyncio.get_running_loop().time()
        try:
            while not self._health.draining.is_set():
                job = self._known.get(job_id)
                now = asyncio.get_running_loop().time()
                if job is not None and job != told:
                    told, silent_since = job, now
                    yield job
                    if job.status in FINAL:
                        return
                elif now - silent_since > KEEPALIVE_SECONDS:
                    silent_since = now
                    yield None
                async with self._looked:
                    await self._looked.wait()
        finally:
            self._listeners[job_id] -= 1
            if not self._listeners[job_id]:
                del self._listeners[job_id]
                self._known.pop(job_id, None)

    async def look_for_ever(self) -> None:
        """Poll the jobs that have listeners; without listeners, poll nothing."""
        while True:
            if self._listeners:
                # If the database does not answer now, it is asked again in a moment.
                with suppress(SQLAlchemyError):
                    seen = await asyncio.to_thread(self._look, list(self._listeners))
                    # Some listeners may have left meanwhile.
                    self._known = {job_id: seen[job_id] for job_id in seen.keys() & self._listeners}
            async with self._looked:
                self._looked.notify_all()
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self, job_ids: list[UUID]) -> dict[UUID, JobSummary]:
        with self._sessions.begin() as session:
            silence = queue.silence_of_workers(session)
            return {
                job.id: JobSummary.of(job, silence=silence)
                for job in queue.jobs_of(session, job_ids)
            }


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Start the watch of this process, in `app.state.job_watch`."""
    watch = JobWatch(resources.sessions, app.state.health)
    app.state.job_watch = watch
    looking = asyncio.create_task(watch.look_for_ever(), name="job watch")
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def _event(job: JobSummary) -> bytes:
    return format_sse_event(
        data_str=job.model_dump_json(), id=LAST_EVENT if job.status in FINAL else str(job.id)
    )
