"""Who is let in: by key, by a browser's session, or because nobody has to show anything."""

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
from app.access.rules import model_of, needed_scope
from app.config import Settings
from app.errors import Forbidden, TooManyRequests, Unauthorized
from app.http.caller import ANYONE, Caller, Change
from app.process.observability import get_logger

logger = get_logger(__name__)

COOKIE = "stepahead_session"
TOKEN_HEADER = b"x-session-token"
READING = frozenset({"GET", "HEAD", "OPTIONS"})
# Probes ask before anyone has a key. /metrics is not among them: it names models and says how much
# they are used, and Prometheus can send a key.
WITHOUT_KEY = frozenset({"/livez", "/readyz", "/", "/session"})
# The dashboard's frames and scripts hold no data; the API calls they make need the key.
PAGES_WITHOUT_KEY = "/ui/"

CHANGES_NOTHING = ("/explain", "/replay")  # although it is asked with POST
# A series may be a person, whose name must not come back by the list of what was erased.
SERIES = re.compile(r"(?<![^&])series=[^&]*")
DRY_RUN = re.compile(
    r"(^|&)dry_run=(true|1|on|yes|t|y)(&|$)", re.IGNORECASE
)  # as pydantic reads it

FREE_TRIES = 5  # wrong keys from an address before it has to wait
LONGEST_WAIT_SECONDS = 60.0
FORGET_AFTER_SECONDS = 300.0
MAX_REMEMBERED = 10_000  # addresses with wrong keys, and good keys by address


class Admission:
    """Lets callers in, each with what its key is for.

    Args:
        settings: say whether a key is needed.
        keyring: knows the keys that are good.
    """

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._keyring = keyring
        self._needs_key = settings.api_key is not None
        self._wrong = WrongKeys()
        self._sessions: sessionmaker[Session] | None = None

    def follow(self, sessions: sessionmaker[Session]) -> None:
        """Know the database from now on, to record changes in."""
        self._sessions = sessions

    def admit(
        self, method: str, path: str, headers: Mapping[bytes, bytes], address: str | None
    ) -> Caller:
        """Let a request in.

        Raises:
            Unauthorized: the key is missing or wrong.
            Forbidden: the key is for something else.
            TooManyRequests: over a limit of the key, or too many wrong keys from this address.
        """
        caller = self._caller(method, headers, address)
        if caller is None:
            if path in WITHOUT_KEY or path.startswith(PAGES_WITHOUT_KEY):
                return ANYONE
            raise Unauthorized("this service asks for a key: send `Authorization: Bearer KEY`")
        needed = needed_scope(method, path)
        if not caller.scope.includes(needed):
            raise Forbidden(
                f"this key is for {caller.scope}, and {method} {path[:100]} needs one for {needed}"
            )
        model = model_of(path)
        if model is not None:
            caller.check_model(model)
        caller.take(REQUESTS)
        return caller

    async def record(self, change: Change) -> None:
        """Keep who changed what; it is committed when this returns.

        A change that could not be recorded has happened all the same: it is logged as an error.
        """
        if change.path.endswith(CHANGES_NOTHING) or DRY_RUN.search(change.query):
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
        self, method: str, headers: Mapping[bytes, bytes], address: str | None
    ) -> Caller | None:
        credentials = headers.get(b"authorization")
        if credentials is not None:
            return self._of_key(credentials, address)
        caller = self.of_browser(headers, writes=method not in READING)
        return caller if caller is not None or self._needs_key else ANYONE

    def _of_key(self, credentials: bytes, address: str | None) -> Caller:
        scheme, _, token = credentials.decode("latin-1").partition(" ")
        is_key = scheme.lower() == "bearer"
        if not is_key and not self._needs_key:
            return ANYONE  # somebody else's credentials, on the way through a proxy say
        caller = self.of_shown_key(token.strip(" "), address) if is_key else None
        if caller is None:
            raise Unauthorized(
                "the key is not a good one: it is mistyped, has expired or was revoked"
            )
        return caller

    def of_browser(self, headers: Mapping[bytes, bytes], *, writes: bool) -> Caller | None:
        """Return whose browser sends this; a change must carry the session's token too."""
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
        """Return whose session a cookie stands for; None: it has ended."""
        return self._keyring.of_session(cookie)

    def digest(self, cookie: str) -> bytes:
        """Return what is kept of a cookie.

        Raises:
            Unavailable: the database has not been read yet.
        """
        return self._keyring.digest(cookie)

    def token(self, cookie: str) -> str:
        """Return what a change must carry in this session, which no other site can read."""
        return self._keyring.digest(f"token:{cookie}").hex()

    def of_shown_key(self, token: str, address: str | None) -> Caller | None:
        """Return who has a key; None: it is not a good one.

        Raises:
            TooManyRequests: too many wrong keys from this address.
        """
        self._wrong.check(address, token)
        caller = self._keyring.of_key(token)
        self._wrong.count(address, token, good=caller is not None)
        return caller


def _address_of(change: Change) -> str:
    """Return what was called, as the audit list keeps it."""
    query = SERIES.sub("series=(erased)", change.query)
    return f"{change.path}?{query}" if query else change.path


class WrongKeys:
    """Makes an address wait that shows one wrong key after the other.

    While it waits, no key is looked at that was not good from there before: guessing is no faster
    with many connections, and whoever shares the address, behind a proxy say, goes on undisturbed.

    Args:
        clock: seconds; given by tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, last time
        self._good: OrderedDict[tuple[str, int], None] = OrderedDict()

    def check(self, address: str | None, token: str) -> None:
        """See whether a key from this address may be tried.

        Raises:
            TooManyRequests: not yet.
        """
        wrong = self._wrong.get(address or "")
        if wrong is None or (address or "", hash(token)) in self._good:
            return
        count, last = wrong
        wait = last + _wait_seconds(count) - self._clock()
        if wait > 0:
            raise TooManyRequests(
                f"{count} wrong keys came from this address; wait before the next one",
                retry_after_seconds=math.ceil(wait),
            )

    def count(self, address: str | None, token: str, *, good: bool) -> None:
        """Count a key that was tried."""
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
    """Return our cookie in a `Cookie` header, whatever stands beside it.

    Cookies know no port: on a machine of many services those of all of them come along, and
    `http.cookies` takes none of a header in which one is not to its liking.
    """
    return cookie_parser(header.decode("latin-1")).get(COOKIE)
