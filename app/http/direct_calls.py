"""Answer calls without ASGI: a complete request, one function, one answer.

For a small prediction, ASGI and Starlette take as long as the prediction. A server that supports
direct calls (app.http.server) passes their requests to the gateway as they are. From any other
server they come through ASGI, and the gateway turns them into the same calls.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from uuid_utils import uuid7

from app.errors import StepaheadError, Unprocessable
from app.http.caller import ANYONE
from app.http.problem_responses import MEDIA_TYPE, problem_bytes, problem_headers, unforeseen
from app.process.observability import Metrics

JSON_TYPE = b"application/json"
WELL_FORMED_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
CALLER_GONE = 499  # nobody gets it: nginx's number for "the client closed the request"

EVENTS_TYPE = b"text/event-stream; charset=utf-8"

Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, Headers, bytes]  # status, headers, body


def _nobody_left() -> bool:
    return False


class Body(Protocol):
    """The body of an answer that is sent in pieces."""

    def write(self, piece: bytes) -> None:
        """Send a piece; does nothing if the caller is gone."""

    def end(self) -> None:
        """Complete the answer."""


class Whole(NamedTuple):
    """A complete request, and the way to answer it."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    body: bytes
    respond: Callable[[int, Headers, bytes], None]  # does nothing if the caller is gone
    address: str | None = None  # of the connection
    is_gone: Callable[[], bool] = _nobody_left  # whether the caller has hung up
    # Begins an answer in pieces; None where only whole ones can be given.
    begin: Callable[[int, Headers], Body] | None = None


class Call:
    """A request that is being answered; it must be answered exactly once."""

    __slots__ = ("_metrics", "_started", "caller", "on_end", "request", "request_id")

    def __init__(self, request: Whole, request_id: str, metrics: Metrics) -> None:
        self.request = request
        self.request_id = request_id
        self.on_end: Callable[[int], None] | None = None  # called with the status; for a trace
        self.caller = ANYONE  # until the gateway has identified it
        self._metrics = metrics
        self._started = time.perf_counter()

    def run(self, handler: "DirectHandler") -> None:
        """Have the handler answer, now or later."""
        try:
            handler(self)
        except StepaheadError as error:
            self.refuse(error)
        except Exception as error:  # noqa: BLE001 - outside of Starlette's error handling
            self.fail(error)

    def answer(self, body: bytes) -> None:
        """Answer with JSON."""
        self._respond(*whole_answer(200, [(b"content-type", JSON_TYPE)], body, self.request_id))

    def refuse(self, error: StepaheadError) -> None:
        """Answer with an error."""
        self._respond(*problem_answer(error, self.request_id))

    def fail(self, error: BaseException) -> None:
        """Answer an unexpected error."""
        self.refuse(unforeseen(error, self.request_id))

    def answer_events(self) -> Body:
        """Begin an answer of server-sent events; `end_events` follows.

        Raises:
            Unprocessable: the call did not come over HTTP.
        """
        if self.request.begin is None:
            raise Unprocessable.at("stream", "needs a call of its own")
        headers = [
            (b"content-type", EVENTS_TYPE),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),  # nginx would keep the events until the last
            (b"x-request-id", self.request_id.encode()),
            *self.caller.headers(),
        ]
        return self.request.begin(200, headers)

    def end_events(self, body: Body, *, status: int = 200) -> None:
        """Complete an answer of events; the status is for metrics."""
        body.end()
        self._ended(status)

    def abandon(self) -> None:
        """End a call whose caller hung up before there was an answer."""
        self._respond(CALLER_GONE, [], b"")

    def _respond(self, status: int, headers: Headers, body: bytes) -> None:
        request = self.request
        headers += self.caller.headers()
        request.respond(status, headers, body)
        self._ended(status)

    def _ended(self, status: int) -> None:
        request = self.request
        seconds = time.perf_counter() - self._started
        self._metrics.observe(request.method, request.path, status, seconds)
        if self.on_end is not None:
            self.on_end(status)


DirectHandler = Callable[[Call], None]
DirectHandlers = dict[tuple[str, str], DirectHandler]  # by method and path


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the caller's own request id if it is well-formed, otherwise a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and WELL_FORMED_REQUEST_ID.fullmatch(given):
        return given.decode()
    return str(uuid7())


def problem_answer(error: StepaheadError, request_id: str) -> Answer:
    """Return an error as an answer."""
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    for name, value in problem_headers(error).items():
        headers.append((name.lower().encode(), value.encode()))
    return whole_answer(error.status, headers, problem_bytes(error), request_id)


def whole_answer(status: int, headers: Headers, body: bytes, request_id: str) -> Answer:
    """Return an answer with the headers that every answer has."""
    headers += (
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode()),
    )
    return status, headers, body
