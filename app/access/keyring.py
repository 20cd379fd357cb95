"""Keep the valid keys and browser sessions in memory, in step with the database."""

import asyncio
import hmac
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.access import store
from app.access.allowance import KeyAllowance, Limits
from app.access.secrets import digest_of, instance_secret
from app.access.store import SESSION_LIFETIME
from app.config import Settings
from app.errors import Unavailable
from app.http.caller import Caller, Scope
from app.process.observability import get_logger
from app.storage.access_tables import ApiKey

logger = get_logger(__name__)

LATELY_SECONDS = 5.0  # by then a change has been committed and read, or it has failed
NOTE_USE_SECONDS = 10.0
FIRST_KEY = "STEPAHEAD_API_KEY"  # the name of the key in the settings


@dataclass(frozen=True, kw_only=True)
class Held:
    """A valid key, or a session opened with one."""

    caller: Caller
    expires_at: float  # seconds since 1970; infinity: never


@dataclass(frozen=True, kw_only=True)
class Known:
    """Everything that was valid when the database was last read."""

    stamp: store.Stamp
    secret: bytes
    keys: Mapping[bytes, Held]  # by digest
    sessions: Mapping[bytes, Held]


class Keyring:
    """Checks keys and cookies in memory; follows changes in the database within a second.

    Everything but `read` is called on the event loop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sessions: sessionmaker[Session] | None = None
        self._known: Known | None = None
        self._used: set[UUID] = set()
        # Recent changes by this process and their times; the database may not have been read since.
        self._lately: dict[bytes, tuple[Held | None, float]] = {}
        first = settings.api_key
        self._first = None if first is None else first.get_secret_value().encode()
        self._first_caller = Caller(name=FIRST_KEY, scope=Scope.ADMIN)

    def follow(self, sessions: sessionmaker[Session]) -> None:
        """Use this database from now on; `read` reads it."""
        self._sessions = sessions

    def of_key(self, token: str) -> Caller | None:
        """Return the caller of a key, or None if the key is not valid."""
        if self._first is not None and hmac.compare_digest(token.encode(), self._first):
            return self._first_caller
        known = self._known
        return None if known is None else self._good(known.keys, digest_of(known.secret, token))

    def of_session(self, cookie: str) -> Caller | None:
        """Return the caller whose session a cookie belongs to, or None if it has ended."""
        known = self._known
        if known is None:
            return None
        return self._good(known.sessions, digest_of(known.secret, cookie))

    def digest(self, token: str) -> bytes:
        """Return the digest under which a key or cookie is stored.

        Raises:
            Unavailable: the database has not been read yet.
        """
        if self._known is None:
            raise Unavailable("the keys have not been read yet")
        return digest_of(self._known.secret, token)

    def remember_key(self, key: ApiKey) -> None:
        """Accept a key that this process is creating, until the next read finds it."""
        self._lately[key.digest] = self._held(key), time.monotonic()

    def remember_session(self, cookie: str, caller: Caller) -> None:
        """Accept a session that this process is opening, until the next read finds it."""
        expires_at = time.time() + SESSION_LIFETIME.total_seconds()
        held = Held(caller=caller, expires_at=expires_at)
        self._lately[self.digest(cookie)] = held, time.monotonic()

    def forget_session(self, cookie: str) -> None:
        """Refuse a session that this process is ending, until the next read omits it."""
        self._lately[self.digest(cookie)] = None, time.monotonic()

    async def note_uses(self, ending: asyncio.Event) -> None:
        """Store the time of the last use of each key, repeatedly until the process ends."""
        while not ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), NOTE_USE_SECONDS)
            used, self._used = self._used, set()
            if not used:
                continue
            try:
                await asyncio.to_thread(self._note_use, used)
            except SQLAlchemyError as error:
                self._used |= used  # stored when the database is back
                logger.warning("last uses of keys not stored", error=str(error).partition("\n")[0])

    def read(self, session: Session) -> None:
        """Read what has changed; called a few times a second, whenever the registry is polled.

        Raises:
            SQLAlchemyError: the database is unreachable or not migrated. What was known stays
                valid.
        """
        seen = store.stamp(session)
        if self._known is None or seen != self._known.stamp:
            self._known = self._read(session, seen)

    def _read(self, session: Session, seen: store.Stamp) -> Known:
        keys = {key.id: (key.digest, self._held(key)) for key in store.live_keys(session)}
        callers = {key_id: held.caller for key_id, (_, held) in keys.items()}
        return Known(
            stamp=seen,
            secret=instance_secret(session, self._settings),
            keys=dict(keys.values()),
            sessions={
                each.digest: Held(
                    caller=callers[each.key_id] if each.key_id else self._first_caller,
                    expires_at=each.expires_at.timestamp(),
                )
                for each in store.live_sessions(session)
                # A session opened with STEPAHEAD_API_KEY ends when that setting is removed.
                if (each.key_id in callers if each.key_id else self._first is not None)
            },
        )

    def _held(self, key: ApiKey) -> Held:
        limits = Limits.model_validate(key.limits)
        processes = self._settings.api_processes
        return Held(
            caller=Caller(
                name=key.name,
                scope=Scope(key.scope),
                key_id=key.id,
                models=None if key.models is None else frozenset(key.models),
                allowance=KeyAllowance(str(key.id), limits, processes=processes)
                if limits != Limits()
                else None,
            ),
            expires_at=float("inf") if key.expires_at is None else key.expires_at.timestamp(),
        )

    def _good(self, among: Mapping[bytes, Held], digest: bytes) -> Caller | None:
        held = among.get(digest)
        if digest in self._lately:
            held, since = self._lately[digest]
            if time.monotonic() - since > LATELY_SECONDS:
                del self._lately[digest]
                held = among.get(digest)
        if held is None or held.expires_at <= datetime.now(UTC).timestamp():
            return None
        if held.caller.key_id is not None:
            self._used.add(held.caller.key_id)
        return held.caller

    def _note_use(self, used: set[UUID]) -> None:
        with self._begun() as session:
            store.note_use(session, used)

    def _begun(self) -> AbstractContextManager[Session]:
        if self._sessions is None:
            raise TypeError("the keyring has no database: call follow() first")
        return self._sessions.begin()
