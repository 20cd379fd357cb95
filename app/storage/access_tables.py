"""Define the tables about callers: keys, browser sessions, use of keys, and the audit list."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.tables import Base, Json


class ApiKey(Base):
    """A key created with `stepahead keys create` or the API; its secret is stored as a digest."""

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("scope IN ('predict', 'train', 'admin')", name="scope"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scope: Mapped[str]
    models: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))  # null: all
    limits: Mapped[Json] = mapped_column(server_default="{}")
    created_by: Mapped[str | None]  # the name of the key that created it
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    # Raised by every change except that of last_used_at. The sum over all keys tells processes that
    # they must read the keys again.
    changes: Mapped[int] = mapped_column(BigInteger, server_default="0")


class BrowserSession(Base):
    """A browser that signed in with a key; the session ends on the server when it signs out."""

    __tablename__ = "browser_sessions"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)  # of the session cookie
    key_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), index=True
    )  # null: STEPAHEAD_API_KEY
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class KeyUsage(Base):
    """The number of bytes that a key has uploaded on a day in UTC."""

    __tablename__ = "key_usage"

    key_id: Mapped[UUID] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    upload_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")


class AuditEntry(Base):
    """A change made through the API; entries are never changed."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "key", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str | None]  # the name of the key; null: no key was required
    scope: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    status: Mapped[int]
    request_id: Mapped[str]
    address: Mapped[str | None]  # of the connection's other end, perhaps a proxy
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class InstanceSecret(Base):
    """One row: the secret for digests of keys and cookies, unless the settings name one."""

    __tablename__ = "instance_secret"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
