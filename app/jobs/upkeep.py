"""Chores that any worker does now and then: rescue lost jobs, clean up."""

import time
from datetime import timedelta

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from app.datasets import store as datasets
from app.jobs import job_log, queue
from app.jobs.log_lines import OUTCOME
from app.process.observability import get_logger
from app.registry import store as registry
from app.storage.engine import expect_answer_soon
from app.storage.object_store import ObjectStore

UNREFERENCED_FOR = timedelta(days=1)  # younger ones may belong to rows still being written

logger = get_logger(__name__)


class Rescuer:
    """Queues jobs again that have lost their worker.

    When the database comes back after a while, every heartbeat looks old. Workers that were cut off
    like this one get time to be heard before they are given up.
    """

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._not_before = 0.0
        self._is_cut_off = False
        self.reached_at: float | None = None  # when the database last answered, monotonic

    def rescue(self) -> None:
        """Look for lost jobs once."""
        try:
            with self._sessions.begin() as session:
                expect_answer_soon(session)
                lost = queue.lost_jobs(session)
            self._is_cut_off = False
            self.reached_at = time.monotonic()
            if time.monotonic() < self._not_before:
                return
            for job_id in lost:
                with self._sessions.begin() as session:
                    status = queue.rescue(session, job_id)
                    if status is not None:
                        job_log.note(session, job_id, "its worker was lost", OUTCOME[status])
                if status is not None:
                    logger.warning("lost job rescued", job=str(job_id), status=status)
        except (OperationalError, PoolTimeout):
            self._not_before = time.monotonic() + queue.STALLED_AFTER.total_seconds()
            if not self._is_cut_off:
                logger.warning("lost jobs not checked: the database cannot be reached")
            self._is_cut_off = True


def referenced_objects(session: Session) -> set[str]:
    """Return the sha256 of every object in the store that some row needs."""
    return (
        queue.referenced_objects(session)
        | registry.referenced_objects(session)
        | datasets.referenced_objects(session)
    )


def sweep_store(sessions: sessionmaker[Session], store: ObjectStore) -> None:
    """Remove objects that nothing has referred to for a day."""

    def referenced() -> set[str]:
        with sessions.begin() as session:
            return referenced_objects(session)

    removed = store.sweep(referenced, UNREFERENCED_FOR)
    logger.info("store swept", removed=removed)


def forget_places(sessions: sessionmaker[Session]) -> None:
    """Remove queue rows that killed workers left behind."""
    with sessions.begin() as session:
        removed = queue.delete_forgotten_places(session)
    logger.info("queue cleaned", removed=removed)
