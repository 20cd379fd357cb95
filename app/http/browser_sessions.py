"""A browser that has shown the service's key once: a signed cookie, and a token for its changes.

Nothing is stored: every api process can check what any of them signed, and another key ends all
sessions. The cookie alone may read. A change also needs the token, which a page gets from
`GET /session` and no page of another site can read.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping

from starlette.requests import cookie_parser

COOKIE = "stepahead_session"
TOKEN_HEADER = b"x-session-token"
LIFETIME_SECONDS = 30 * 24 * 3600


class Sessions:
    """Signs and checks.

    Args:
        key: the service's key, `STEPAHEAD_API_KEY`.
        clock: seconds since 1970.
    """

    def __init__(self, key: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key = key.encode()
        self._clock = clock

    def opened_by(self, key: str) -> bool:
        """Whether this is the service's key."""
        return hmac.compare_digest(key.encode(), self._key)

    def new(self) -> str:
        """The cookie of a new session."""
        stated = f"{int(self._clock()) + LIFETIME_SECONDS}.{secrets.token_hex(16)}"
        return f"{stated}.{self._signed('session', stated)}"

    def is_valid(self, cookie: str) -> bool:
        """Whether we signed it with today's key and it has not run out."""
        stated, _, signature = cookie.rpartition(".")
        expires = stated.partition(".")[0]
        if not hmac.compare_digest(signature.encode(), self._signed("session", stated).encode()):
            return False
        return int(expires) > self._clock()

    def token(self, cookie: str) -> str:
        """What a change has to carry in this session."""
        return self._signed("token", cookie)

    def allows(self, headers: Mapping[bytes, bytes], *, writes: bool) -> bool:
        """Whether a request's headers carry a session, and for a change its token."""
        cookie = cookie_of(headers.get(b"cookie", b""))
        if cookie is None or not self.is_valid(cookie):
            return False
        given = headers.get(TOKEN_HEADER, b"")
        return not writes or hmac.compare_digest(given, self.token(cookie).encode())

    def _signed(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


def cookie_of(header: bytes) -> str | None:
    """Our cookie in a `Cookie` header, whatever stands beside it.

    Cookies know no port: on a machine of many services those of all of them come along, and
    `http.cookies` takes none of a header in which one is not to its liking.
    """
    return cookie_parser(header.decode("latin-1")).get(COOKIE)
