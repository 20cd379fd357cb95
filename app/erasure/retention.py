"""Delete what is older than the settings keep it, except predictions, which go by partition."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session, sessionmaker

from app.config import Settings
from app.erasure import store
from app.process.observability import get_logger

logger = get_logger(__name__)


def erase_what_is_old(sessions: sessionmaker[Session], settings: Settings) -> None:
    """Delete what is older than the settings keep it: jobs, runs, datasets, refused calls.

    Each kind is deleted in its own transaction.
    """
    kinds: tuple[tuple[str, int, Callable[..., int]], ...] = (
        ("refused calls", settings.refused_retention_days, store.erase_refused_calls),
        ("jobs", settings.job_retention_days, store.erase_old_jobs),
        ("forecast runs", settings.job_retention_days, store.erase_old_runs),
        ("datasets", settings.dataset_retention_days, store.erase_old_datasets),
    )
    for kind, days, erase in kinds:
        if days:
            with sessions.begin() as session:
                removed = erase(session, until=datetime.now(UTC) - timedelta(days=days))
            logger.info("retention", kind=kind, days=days, removed=removed)
