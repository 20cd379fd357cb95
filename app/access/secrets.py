"""Create random keys and cookies, and the keyed digests under which they are stored."""

import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config import Settings
from app.storage.access_tables import InstanceSecret

PREFIX = "sa_"  # lets secret scanners recognise a key, in a repository for example
SECRET_BYTES = 32


def new_token() -> str:
    """Return a new key or cookie: 256 random bits, as text that is valid in a header."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: bytes, token: str) -> bytes:
    """Return the stored digest of a key or cookie: HMAC-SHA256, 32 bytes."""
    return hmac.digest(secret, token.encode(), "sha256")


def instance_secret(session: Session, settings: Settings) -> bytes:
    """Return the secret for digests: from the settings, otherwise the database's own."""
    if settings.key_secret is not None:
        return settings.key_secret.get_secret_value().encode()
    return session.scalars(select(InstanceSecret.value)).one()
