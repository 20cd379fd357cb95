"""Keys and cookies: made at random, kept as keyed digests."""

import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config import Settings
from app.storage.access_tables import InstanceSecret

PREFIX = "sa_"  # so that a key is known for one where it should not be, in a repository say
SECRET_BYTES = 32


def new_token() -> str:
    """Return a new key or cookie: 256 random bits, fit for a header."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: bytes, token: str) -> bytes:
    """Return what is kept of a key or cookie: HMAC-SHA256, 32 bytes."""
    return hmac.digest(secret, token.encode(), "sha256")


def instance_secret(session: Session, settings: Settings) -> bytes:
    """Return what keys are digested with: of the settings, else the database's own."""
    if settings.key_secret is not None:
        return settings.key_secret.get_secret_value().encode()
    return session.scalars(select(InstanceSecret.value)).one()
