"""What some worker does now and then, whichever it is: rescue lost jobs, clean up."""

from datetime import timedelta

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from app.jobs import queue
from app.observability import logger as logger_of
from app.registry import store as registry
from app.store import ObjectStore

UNREFERENCED_FOR = timedelta(days=1)  # younger objects may belong to rows that are on their way

logger = logger_of(__name__)


def rescue_lost_jobs(sessions: sessionmaker[Session]) -> None:
    """Queue again what has lost its worker; what the database does not answer waits a moment."""
    try:
        with sessions.begin() as session:
            lost = queue.lost_jobs(session)
        for job_id in lost:
            with sessions.begin() as session:
                status = queue.rescue(session, job_id)
            if status is not None:
                logger.warning("lost job rescued", job=str(job_id), status=status)
    except (OperationalError, PoolTimeout):
        logger.warning("lost jobs not looked for: the database cannot be reached")


def sweep_store(sessions: sessionmaker[Session], store: ObjectStore) -> None:
    """Remove objects that nothing has referred to for a day."""

    def referenced() -> set[str]:
        with sessions.begin() as session:
            return queue.referenced_objects(session) | registry.referenced_objects(session)

    removed = store.sweep(referenced, UNREFERENCED_FOR)
    logger.info("store swept", removed=removed)


def forget_places(sessions: sessionmaker[Session]) -> None:
    """Remove queue rows that killed workers left behind."""
    with sessions.begin() as session:
        removed = queue.delete_forgotten_places(session)
    logger.info("queue cleaned", removed=removed)
