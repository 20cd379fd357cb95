"""Enforce the quotas that are counted in the database: they are rare and must be exact."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access import store
from app.access.allowance import Limits
from app.errors import TooManyRequests
from app.http.caller import Caller
from app.storage.access_tables import ApiKey
from app.storage.job_status import UNFINISHED
from app.storage.tables import Job

QUEUE_RETRY_SECONDS = 60


def check_queue(session: Session, caller: Caller, jobs: int = 1) -> None:
    """Check that a caller may queue this many more jobs.

    Raises:
        TooManyRequests: the key would have more queued and running jobs than its limit.
    """
    limits = _limits(session, caller)
    if limits.queued_jobs is None:
        return
    mine = (Job.key == caller.name) & Job.status.in_(UNFINISHED)
    waiting = session.scalar(select(func.count()).select_from(Job).where(mine)) or 0
    if waiting + jobs > limits.queued_jobs:
        raise TooManyRequests(
            f"this key may have {limits.queued_jobs} trainings queued or running and has "
            f"{waiting}; wait for one to end, or cancel one",
            retry_after_seconds=QUEUE_RETRY_SECONDS,
            extra={"limit": limits.queued_jobs, "what": "queued_jobs"},
        )


def count_upload(session: Session, caller: Caller, size: int) -> None:
    """Count an uploaded body towards the caller's bytes of the current day in UTC.

    Args:
        session: rolled back by its owner if this raises.
        caller: who uploads.
        size: of the body, in bytes.

    Raises:
        TooManyRequests: the upload exceeds the limit.
    """
    limit = _limits(session, caller).upload_bytes_per_day
    if limit is None or caller.key_id is None:
        return
    now = datetime.now(UTC)
    used = store.add_upload(session, caller.key_id, now.date(), size)
    if used > limit:
        seconds = 24 * 3600 - (now.hour * 3600 + now.minute * 60 + now.second)
        raise TooManyRequests(
            f"this key may upload {limit:,} bytes per day (UTC); this upload would bring it to "
            f"{used:,}",
            retry_after_seconds=seconds,
            extra={"limit": limit, "what": "upload_bytes"},
        )


def _limits(session: Session, caller: Caller) -> Limits:
    if caller.key_id is None:
        return Limits()
    kept = session.scalar(select(ApiKey.limits).where(ApiKey.id == caller.key_id))
    return Limits() if kept is None else Limits.model_validate(kept)
