"""Query and change keys, sessions, usage and the audit list."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.http.caller import Scope
from app.storage.access_tables import ApiKey, AuditEntry, BrowserSession, KeyUsage
from app.storage.ids import new_id

SESSION_LIFETIME = timedelta(days=30)
USAGE_KEPT = timedelta(days=2)


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """Changes whenever a key or a session is added, changed or ended."""

    keys: int
    changes: int
    sessions: int
    digests: int  # a sum over the sessions; it changes even if one ends while another begins


def stamp(session: Session) -> Stamp:
    """Return a stamp that shows whether the keys must be read again."""
    keys, changes = session.execute(
        select(func.count(), func.coalesce(func.sum(ApiKey.changes), 0)).select_from(ApiKey)
    ).one()
    hashed = func.hashtext(func.encode(BrowserSession.digest, "hex"))
    sessions, digests = session.execute(
        select(func.count(), func.coalesce(func.sum(hashed), 0)).select_from(BrowserSession)
    ).one()
    return Stamp(keys=keys, changes=int(changes), sessions=sessions, digests=int(digests))


def live_keys(session: Session) -> Sequence[ApiKey]:
    """Return the keys that are neither revoked nor expired."""
    unexpired = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())
    return session.scalars(select(ApiKey).where(ApiKey.revoked_at.is_(None), unexpired)).all()


def live_sessions(session: Session) -> Sequence[BrowserSession]:
    """Return the browser sessions that have not expired."""
    return session.scalars(
        select(BrowserSession).where(BrowserSession.expires_at > func.now())
    ).all()


def create_key(
    session: Session,
    *,
    name: str,
    digest: bytes,
    scope: Scope,
    models: Sequence[str] | None,
    limits: Mapping[str, Any],
    created_by: str | None,
    expires_at: datetime | None,
) -> ApiKey:
    """Store a new key.

    Raises:
        Conflict: a key, perhaps a revoked one, already has that name. Logs refer to it.
    """
    statement = (
        insert(ApiKey)
        .values(
            id=new_id(),
            name=name,
            digest=digest,
            scope=scope,
            models=None if models is None else list(models),
            limits=dict(limits),
            created_by=created_by,
            expires_at=expires_at,
        )
        .on_conflict_do_nothing(index_elements=[ApiKey.name])
        .returning(ApiKey)
    )
    key = session.scalars(statement).one_or_none()
    if key is None:
        raise Conflict(f"a key named {name!r} exists or existed; names are not reused")
    return key


def list_keys(session: Session, *, limit: int, before: UUID | None = None) -> Sequence[ApiKey]:
    """Return keys, newest first, revoked ones included; `before` is the last id of a page."""
    query = select(ApiKey).order_by(ApiKey.id.desc()).limit(limit)
    if before is not None:
        query = query.where(ApiKey.id < before)
    return session.scalars(query).all()


def revoke_key(session: Session, key_id: UUID) -> ApiKey:
    """End a key and every browser session that it opened.

    Raises:
        NotFound: no key has that id.
    """
    key = session.get(ApiKey, key_id, with_for_update=True)
    if key is None:
        raise NotFound(f"there is no key {key_id}; GET /keys lists them")
    if key.revoked_at is None:
        key.revoked_at = datetime.now(UTC)
        key.changes += 1
        session.execute(delete(BrowserSession).where(BrowserSession.key_id == key_id))
        session.flush()
    return key


def note_use(session: Session, key_ids: Iterable[UUID]) -> None:
    """Record that keys were just used."""
    session.execute(
        update(ApiKey).where(ApiKey.id.in_(list(key_ids))).values(last_used_at=func.now())
    )


def open_session(session: Session, digest: bytes, key_id: UUID | None) -> BrowserSession:
    """Store a new browser session and delete expired ones."""
    session.execute(delete(BrowserSession).where(BrowserSession.expires_at <= func.now()))
    opened = BrowserSession(
        digest=digest, key_id=key_id, expires_at=datetime.now(UTC) + SESSION_LIFETIME
    )
    session.add(opened)
    session.flush()
    return opened


def end_session(session: Session, digest: bytes) -> None:
    """End a browser session; do nothing if it has already ended."""
    session.execute(delete(BrowserSession).where(BrowserSession.digest == digest))


def add_upload(session: Session, key_id: UUID, day: date, upload_bytes: int) -> int:
    """Count an upload and return the key's bytes of that day, including this upload."""
    session.execute(delete(KeyUsage).where(KeyUsage.day < day - USAGE_KEPT))
    statement = insert(KeyUsage).values(key_id=key_id, day=day, upload_bytes=upload_bytes)
    counted = statement.on_conflict_do_update(
        index_elements=[KeyUsage.key_id, KeyUsage.day],
        set_={"upload_bytes": KeyUsage.upload_bytes + upload_bytes},
    ).returning(KeyUsage.upload_bytes)
    return session.scalars(counted).one()


def add_audit(session: Session, **entry: Any) -> None:  # noqa: ANN401 - columns of AuditEntry
    """Record a change made through the API."""
    session.add(AuditEntry(id=new_id(), **entry))


def list_audit(
    session: Session, *, key: str | None, limit: int, before: UUID | None = None
) -> Sequence[AuditEntry]:
    """Return changes, newest first, by one key or by all."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if key is not None:
        query = query.where(AuditEntry.key == key)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return session.scalars(query).all()
