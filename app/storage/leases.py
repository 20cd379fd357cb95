"""Grant leases: a task that only one process may do, for as long as that process renews.

An advisory lock would need its own connection, which a pooler in transaction mode does not provide.
"""

from datetime import timedelta

from sqlalchemy import func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.storage.tables import Lease


def hold_lease(session: Session, name: str, holder: str, duration: timedelta) -> bool:
    """Take or renew a lease, and return whether `holder` now holds it.

    Args:
        session: in a transaction.
        name: of the task.
        holder: unique name of the process.
        duration: time after which the lease expires unless it is renewed.
    """
    until = func.now() + duration
    statement = insert(Lease).values(name=name, holder=holder, until=until)
    taken = statement.on_conflict_do_update(
        index_elements=[Lease.name],
        set_={"holder": statement.excluded.holder, "until": statement.excluded.until},
        where=or_(Lease.holder == statement.excluded.holder, Lease.until < func.now()),
    ).returning(Lease.holder)
    return session.scalar(taken) is not None
