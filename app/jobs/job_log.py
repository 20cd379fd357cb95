"""A job's log: one plain line for each event, stored with the job."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.storage.ids import new_id
from app.storage.tables import JobNote

LONGEST = 2000  # characters; errors may quote long input


def note(session: Session, job_id: UUID, *lines: str) -> None:
    """Add lines to a job's log, in the transaction of the event.

    Args:
        session: of that transaction, so an event that is rolled back leaves no line.
        job_id: of an existing job.
        lines: oldest first.
    """
    session.add_all(
        JobNote(id=new_id(), job_id=job_id, text=line[:LONGEST].replace("\x00", ""))
        for line in lines
    )


def list_notes(
    session: Session, job_id: UUID, *, after: UUID | None = None, limit: int
) -> Sequence[JobNote]:
    """Return a job's lines, oldest first, from after the id `after`."""
    statement = select(JobNote).where(JobNote.job_id == job_id).order_by(JobNote.id).limit(limit)
    if after is not None:
        statement = statement.where(JobNote.id > after)
    return session.scalars(statement).all()
