"""A job's log: one plain line for everything that happened to it, kept with the job."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.storage.ids import new_id
from app.storage.tables import JobNote

LONGEST = 2000  # characters; errors may quote what they met


def note(session: Session, job_id: UUID, *lines: str) -> None:
    """Add lines, in the transaction of what they tell.

    Args:
        session: of that transaction: what is undone is not told either.
        job_id: of a job that is there.
        lines: oldest first.
    """
    session.add_all(
        JobNote(id=new_id(), job_id=job_id, text=line[:LONGEST].replace("\x00", ""))
        for line in lines
    )


def list_notes(
    session: Session, job_id: UUID, *, after: UUID | None = None, limit: int
) -> Sequence[JobNote]:
    """Return a job's lines, oldest first; `after` is the last id of the page before."""
    statement = select(JobNote).where(JobNote.job_id == job_id).order_by(JobNote.id).limit(limit)
    if after is not None:
        statement = statement.where(JobNote.id > after)
    return session.scalars(statement).all()
