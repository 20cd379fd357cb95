"""Authenticate and authorise requests: by key, by browser session, or without either."""

import asyncio
import hmac
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from starlette.requests import cookie_parser

from app.access import store
from app.access.allowance import REQUESTS
from app.access.keyring import Keyring
from app.access.rules import is_foreign, model_of, needed_scope
from app.config import Settings
from app.errors import Forbidden, TooManyRequests, Unauthorized
from app.http.caller import ANYONE, Caller, Change
from app.process.observability import get_logger

logger = get_logger(__name__)

COOKIE = "stepahead_session"
TOKEN_HEADER = b"x-session-token"
READING = frozenset({"GET", "HEAD", "OPTIONS"})
# Probes have no key. /metrics needs one: it names models and shows how much they are used, and
# Prometheus can send a key.
WITHOUT_KEY = frozenset(
    {"/livez", "/readyz", "/", "/session", "/v2/health/live", "/v2/health/ready"}
)
# The dashboard's frames and scripts hold no data; the API calls they make need the key.
PAGES_WITHOUT_KEY = "/ui/"

# Read-only calls, although their method is POST; those of foreign clients are, too.
CHANGES_NOTHING = re.compile(r"/explain|/predictions/[^/]+/replay")
# A series may be named after a person; the audit list must not repeat the name after its deletion.
SERIES = re.compile(r"(?<![^&])series=[^&]*")
DRY_RUN = re.compile(
    r"(^|&)dry_run=(true|1|on|yes|t|y)(&|$)", re.IGNORECASE
)  # as pydantic reads it

FREE_TRIES = 5  # wrong keys from an address before it has to wait
LONGEST_WAIT_SECONDS = 60.0
FORGET_AFTER_SECONDS = 300.0
MAX_REMEMBERED = 10_000  # addresses with wrong keys, and good keys by address


class Admission:
    """Decides which caller a request comes from and what that caller may do.

    Args:
        settings: say whether a key is required.
        keyring: knows the valid keys and sessions.
    """

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._keyring = keyring
        self._needs_key = settings.api_key is not None
        self._wrong = WrongKeys()
        self._sessions: sessionmaker[Session] | None = None

    def follow(self, sessions: sessionmaker[Session]) -> None:
        """Use this database from now on to record changes."""
        self._sessions = sessions

    def admit(
        self, method: str, path: str, headers: Mapping[bytes, bytes], address: str | None
    ) -> Caller:
        """Admit a request and return its caller.

        Args:
            method: of the request, upper case.
            path: of the request, without the query.
            headers: by lower-case name.
            address: of the client; None if unknown.

        Raises:
            Unauthorized: the key is missing or invalid.
            Forbidden: the key's scope or models do not allow the call.
            TooManyRequests: the key is over a limit, or too many invalid keys came from this
                address.
        """
        caller = self._caller(method, path, headers, address)
        if caller is None:
            if path in WITHOUT_KEY or path.startswith(PAGES_WITHOUT_KEY):
                return ANYONE
            raise Unauthorized("this service requires a key: send `Authorization: Bearer KEY`")
        needed = needed_scope(method, path)
        if not caller.scope.includes(needed):
            raise Forbidden(
                f"this key has the scope {caller.scope}; {method} {path[:100]} needs {needed}"
            )
        model = model_of(path)
        if model is not None:
            caller.check_model(model)
        caller.take(REQUESTS)
        return caller

    async def record(self, change: Change) -> None:
        """Add a change to the audit list and commit it.

        If that fails, the change itself has already happened, so the failure is only logged.
        """
        if _changes_nothing(change):
            return
        try:
            await asyncio.to_thread(self._record, change)
        except SQLAlchemyError as error:
            logger.exception(
                "a change is missing from the audit list",
                key=change.caller.name,
                method=change.method,
                path=change.path,
                error=str(error),
            )

    def _record(self, change: Change) -> None:
        if self._sessions is None:
            raise TypeError("there is no database to record changes in: call follow() first")
        with self._sessions.begin() as session:
            store.add_audit(
                session,
                key=change.caller.name,
                scope=change.caller.scope,
                method=change.method,
                path=_address_of(change),
                status=change.status,
                request_id=change.request_id,
                address=change.address,
            )

    def _caller(
        self, method: str, path: str, headers: Mapping[bytes, bytes], address: str | None
    ) -> Caller | None:
        credentials = headers.get(b"authorization")
        if credentials is not None:
            return self._of_key(path, credentials, address)
        caller = self.of_browser(headers, writes=method not in READING)
        return caller if caller is not None or self._needs_key else ANYONE

    def _of_key(self, path: str, credentials: bytes, address: str | None) -> Caller:
        scheme, _, token = credentials.decode("latin-1").partition(" ")
        is_key = scheme.lower() == "bearer"
        if not is_key and not self._needs_key:
            return ANYONE  # credentials that are not for us, but for a proxy, say
        if not self._needs_key and is_foreign(path):
            # Clients of services with keys send one, whatever it is.
            return self._keyring.of_key(token.strip(" ")) or ANYONE
        caller = self.of_shown_key(token.strip(" "), address) if is_key else None
        if caller is None:
            raise Unauthorized("the key is not valid: it is mistyped, has expired or was revoked")
        return caller

    def of_browser(self, headers: Mapping[bytes, bytes], *, writes: bool) -> Caller | None:
        """Return the caller of a browser's request, or None without a valid session.

        A request that changes something must also carry the session's token.
        """
        cookie = cookie_of(headers.get(b"cookie", b""))
        if cookie is None:
            return None
        caller = self.of_cookie(cookie)
        if caller is None:
            return None
        given = headers.get(TOKEN_HEADER, b"")
        if writes and not hmac.compare_digest(given, self.token(cookie).encode()):
            return None
        return caller

    def of_cookie(self, cookie: str) -> Caller | None:
        """Return the caller whose session a cookie belongs to, or None if it has ended."""
        return self._keyring.of_session(cookie)

    def digest(self, cookie: str) -> bytes:
        """Return the digest under which a cookie is stored.

        Raises:
            Unavailable: the database has not been read yet.
        """
        return self._keyring.digest(cookie)

    def token(self, cookie: str) -> str:
        """Return the token that changes must carry in this session; no other site can read it."""
        return self._keyring.digest(f"token:{cookie}").hex()

    def of_shown_key(self, token: str, address: str | None) -> Caller | None:
        """Return the caller of a key, or None if the key is not valid.

        Raises:
            TooManyRequests: too many invalid keys came from this address.
        """
        self._wrong.check(address, token)
        caller = self._keyring.of_key(token)
        self._wrong.count(address, token, good=caller is not None)
        return caller


def _changes_nothing(change: Change) -> bool:
    path, query = change.path, change.query
    return (
        is_foreign(path)
        or CHANGES_NOTHING.fullmatch(path) is not None
        or DRY_RUN.search(query) is not None
    )


def _address_of(change: Change) -> str:
    """Return the called address in the form of the audit list."""
    query = SERIES.sub("series=(erased)", change.query)
    return f"{change.path}?{query}" if query else change.path


class WrongKeys:
    """Makes an address wait after several invalid keys.

    Meanwhile only keys that were valid from this address before are checked. So guessing is no
    faster over many connections, and others with the same address (behind a proxy, say) are not
    affected.

    Args:
        clock: returns seconds; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, last time
        self._good: OrderedDict[tuple[str, int], None] = OrderedDict()

    def check(self, address: str | None, token: str) -> None:
        """Check that a key from this address may be tried.

        Raises:
            TooManyRequests: the address still has to wait.
        """
        wrong = self._wrong.get(address or "")
        if wrong is None or (address or "", hash(token)) in self._good:
            return
        count, last = wrong
        wait = last + _wait_seconds(count) - self._clock()
        if wait > 0:
            raise TooManyRequests(
                f"{count} invalid keys came from this address; wait before trying another",
                retry_after_seconds=math.ceil(wait),
            )

    def count(self, address: str | None, token: str, *, good: bool) -> None:
        """Record whether a key that was tried was valid."""
        if good:
            self._good[address or "", hash(token)] = None
            if len(self._good) > MAX_REMEMBERED:
                self._good.popitem(last=False)
            return
        now = self._clock()
        count, last = self._wrong.pop(address or "", (0, now))
        if now - last > FORGET_AFTER_SECONDS:
            count = 0
        self._wrong[address or ""] = count + 1, now
        if len(self._wrong) > MAX_REMEMBERED:
            self._wrong.popitem(last=False)


def _wait_seconds(count: int) -> float:
    if count < FREE_TRIES:
        return 0.0
    return min(LONGEST_WAIT_SECONDS, float(2 ** min(count - FREE_TRIES, 10)))


def cookie_of(header: bytes) -> str | None:
    """Return our cookie from a `Cookie` header, or None.

    Cookies ignore ports, so a browser also sends those of other services on the same host.
    `http.cookies` would reject the whole header if one of them is malformed.
    """
    return cookie_parser(header.decode("latin-1")).get(COOKIE)
