"""Leases: something that one process of all does at a time, for as long as it keeps renewing.

An advisory lock would need a connection of its own, which a pooler in transaction mode does not
give.
"""

from datetime import timedelta

from sqlalchemy import func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.storage.tables import Lease


def hold_lease(session: Session, name: str, holder: str, duration: timedelta) -> bool:
    """Take or renew a lease, and return whether it is the holder's now.

    Args:
        session: a transaction.
        name: what only one process does.
        holder: the process; another one has another name.
        duration: until it runs out unless it is renewed.
    """
    until = func.now() + duration
    statement = insert(Lease).values(name=name, holder=holder, until=until)
    taken = statement.on_conflict_do_update(
        index_elements=[Lease.name],
        set_={"holder": statement.excluded.holder, "until": statement.excluded.until},
        where=or_(Lease.holder == statement.excluded.holder, Lease.until < func.now()),
    ).returning(Lease.holder)
    return session.scalar(taken) is not None
