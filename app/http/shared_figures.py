"""Figures of the whole installation, read from the database when Prometheus asks.

Of all api hosts one gives them, for as long as it holds a lease, so that a sum over the hosts is
right.
"""

import socket
from collections.abc import Iterator, Mapping
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.storage.job_status import JobStatus
from app.storage.leases import hold_lease
from app.storage.resources import Resources
from app.storage.tables import Job

LEASE = "shared figures"
LEASE_DURATION = timedelta(seconds=60)  # longer than scrapes are apart
# A host's processes answer in turn, so they are one holder.
HOST = socket.gethostname()

WORKERS = """
SELECT count(*) FILTER (WHERE last_heartbeat > now() - interval '10 seconds'),
       extract(epoch FROM now() - max(last_heartbeat))
  FROM procrastinate_workers
"""


def shared_figures(resources: Resources) -> str:
    """Return the figures as Prometheus reads them; empty where another host gives them.

    They are left out as well while the database is away: an old figure would look like a new one.
    """
    try:
        with resources.sessions.begin() as session:
            if not hold_lease(session, LEASE, HOST, LEASE_DURATION):
                return ""
            return "\n".join(_lines(session)) + "\n"
    except (OperationalError, PoolTimeout):
        return ""


def _lines(session: Session) -> Iterator[str]:
    rows = session.execute(select(Job.status, func.count()).group_by(Job.status))
    counts = {status.value: 0 for status in JobStatus} | dict(rows.all())
    yield from _gauge(
        "stepahead_jobs",
        "Training jobs by status, of the whole installation",
        {f'{{status="{status}"}}': count for status, count in counts.items()},
    )
    waiting = select(func.extract("epoch", func.now() - func.min(Job.updated_at)))
    oldest = session.scalar(waiting.where(Job.status == JobStatus.QUEUED))
    yield from _gauge(
        "stepahead_oldest_queued_job_seconds",
        "How long the job has waited that has waited longest; 0 where none waits",
        {"": float(oldest or 0.0)},
    )
    alive, silence = session.execute(text(WORKERS)).one()
    yield from _gauge(
        "stepahead_workers",
        "Workers whose heartbeat is younger than ten seconds",
        {"": alive},
    )
    if silence is not None:
        yield from _gauge(
            "stepahead_last_worker_heartbeat_seconds",
            "How long ago the last worker gave a heartbeat",
            {"": float(silence)},
        )


def _gauge(name: str, meaning: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"
    for labels, value in values.items():
        yield f"{name}{labels} {value}"
