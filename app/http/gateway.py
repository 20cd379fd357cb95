"""Admit every request: check key, origin and size, assign a request id, and count it.

The gateway surrounds FastAPI. Calls in `direct` go to their handlers without FastAPI and, if the
server supports it, without ASGI. Their operations are also declared on the router, for the OpenAPI
document.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, Protocol

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.config import Settings
from app.errors import Forbidden, StepaheadError, TooLarge
from app.http.asgi_answer import AsgiAnswer
from app.http.caller import Caller, Change
from app.http.direct_calls import (
    Call,
    DirectHandler,
    DirectHandlers,
    Whole,
    request_id_of,
)
from app.http.large_bodies import LargeBodies, counted, too_large
from app.http.problem_responses import answer_problem
from app.process.observability import Metrics, get_logger
from app.process.tracing import Tracing, trace_of

logger = get_logger(__name__)

# `Host` of a call from this machine, without its port.
LOOPBACK_NAME = re.compile(rb"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?", re.IGNORECASE)
REMEMBERED_HOSTS = 128
CALLER_GONE = 499  # nginx logs this status when the caller disconnects; it is never sent
WRITING_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Guard(Protocol):
    """Decides which requests are admitted, and records changes."""

    def admit(
        self, method: str, path: str, headers: Mapping[bytes, bytes], address: str | None
    ) -> Caller:
        """Admit a request and return its caller, or raise an error that says why not."""

    async def record(self, change: Change) -> None:
        """Record a change; it is committed when this returns."""


class Gateway:
    """ASGI around the whole app."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        metrics: Metrics,
        direct: DirectHandlers,
        guard: Guard,
        tracing: Tracing | None = None,
    ) -> None:
        self._app = app
        self.direct = direct
        self._metrics = metrics
        self._guard = guard
        self._tracing = tracing
        self._is_for_this_machine = settings.is_for_this_machine
        self._max_body_bytes = settings.max_body_bytes
        self._large_bodies = LargeBodies()
        self._max_upload_bytes = settings.max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit a request, answer it or pass it on, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = scope["request_id"] = request_id_of(headers)
        method, path = scope["method"], scope["path"]
        if self._tracing is not None:
            scope["span"] = self._tracing.begin_request(method, path, headers)
        try:
            scope["caller"] = self._admit(method, path, headers, _address(scope))
        except StepaheadError as error:
            await answer_problem(scope, error, {"X-Request-Id": request_id})(scope, receive, send)
            self._count(scope, "refused", error.status, started)
            return
        handler = self.direct.get((method, path))
        if handler is None:
            await self._through_the_app(scope, receive, send, started)
        else:
            await self._through_asgi(handler, scope, receive, send)

    def take(self, handler: DirectHandler, request: Whole) -> None:
        """Admit a request for one of `direct` and have it answered."""
        call = Call(request, request_id_of(request.headers), self._metrics)
        if self._tracing is not None:
            span = self._tracing.begin_request(request.method, request.path, request.headers)
            call.on_end = partial(self._tracing.end_request, span, request.path)
        try:
            call.caller = self._admit(
                request.method, request.path, request.headers, request.address
            )
        except StepaheadError as error:
            call.refuse(error)
        else:
            call.run(handler)

    def count_refused(self, error: StepaheadError, request_id: str, address: str | None) -> None:
        """Count and log a request that the server refused before it was complete."""
        self._metrics.observe("unread", "refused", error.status, 0.0)
        logger.info(
            "request refused",
            status=error.status,
            detail=error.detail,
            address=address,
            request_id=request_id,
        )

    async def _through_asgi(
        self, handler: DirectHandler, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer an admitted request from a server without direct calls."""
        answer = AsgiAnswer()
        is_gone = False

        async def wait_for_hang_up() -> None:
            nonlocal is_gone
            is_gone = (await receive())["type"] == "http.disconnect"

        body: bytes | StepaheadError | None
        try:
            body = await self._body(receive)
        except StepaheadError as error:
            body = error
        if body is None:
            return
        given = body if isinstance(body, bytes) else b""
        hang_up = asyncio.create_task(wait_for_hang_up())
        request = Whole(
            scope["method"],
            scope["path"],
            dict(scope["headers"]),
            given,
            answer.respond,
            is_gone=lambda: is_gone,
            begin=answer.begin,
        )
        call = Call(request, scope["request_id"], self._metrics)
        call.caller = scope["caller"]
        if self._tracing is not None:
            call.on_end = partial(self._tracing.end_request, scope["span"], scope["path"])
        if isinstance(body, StepaheadError):
            call.refuse(body)
        else:
            call.run(handler)
        await answer.send(send)
        hang_up.cancel()

    async def _body(self, receive: Receive) -> bytes | None:
        """Read the body; return None if the caller disconnected.

        Raises:
            TooLarge: it is over the limit.
            Unavailable: too many large bodies are being read.
        """
        message = await receive()
        if message["type"] != "http.request":
            return None
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(body) > self._max_body_bytes:
                raise TooLarge(too_large(self._max_body_bytes))
            return body
        return await self._large_bodies.read(body, receive, limit_bytes=self._max_body_bytes)

    async def _through_the_app(
        self, scope: Scope, receive: Receive, send: Send, started: float
    ) -> None:
        request_id = scope["request_id"]
        caller: Caller = scope["caller"]
        changes = scope["method"] in WRITING_METHODS
        status: int | None = None  # status of the answer, once it has begun

        async def identified(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    *caller.headers(),
                ]
                if changes and status < HTTPStatus.BAD_REQUEST:
                    await self._guard.record(_change_of(scope, status))
            await send(message)

        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            self._large_bodies.body(limit_bytes=self._max_body_bytes) as count,
        ):
            try:
                await self._app(scope, counted(receive, scope, count), identified)
                status = status or CALLER_GONE
            finally:
                self._count(scope, _template_of(scope), status or 500, started)

    def _admit(
        self, method: str, path: str, headers: Mapping[bytes, bytes], address: str | None
    ) -> Caller:
        """Admit a request and return its caller.

        Raises:
            Unauthorized: the key is missing or invalid.
            Forbidden: the key does not allow it; or a browser sends a change from another site's
                page, or calls this machine by another name.
            TooManyRequests: the key is over a limit, or too many invalid keys came from this
                address.
            TooLarge: the announced body is over the limit.
        """
        caller = self._guard.admit(method, path, headers, address)
        if self._is_for_this_machine:
            _check_name(headers.get(b"host", b""))
        if method in WRITING_METHODS and b"origin" in headers:
            origin, host = headers[b"origin"], headers.get(b"host", b"")
            if origin.partition(b"://")[2] != host:
                raise Forbidden(
                    f"a page of {origin.decode('latin-1')} may not write here; only pages that "
                    "this service serves itself may"
                )
        length = headers.get(b"content-length")
        if length is not None and (not length.isdigit() or int(length) > self._limit_of(headers)):
            raise TooLarge(too_large(self._limit_of(headers)))
        return caller

    def _limit_of(self, headers: Mapping[bytes, bytes]) -> int:
        is_upload = headers.get(b"content-type", b"").lower().startswith(b"multipart/")
        return self._max_upload_bytes if is_upload else self._max_body_bytes

    def _count(self, scope: Scope, template: str, status: int, started: float) -> None:
        seconds = time.perf_counter() - started
        self._metrics.observe(scope["method"], template, status, seconds)
        logger.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            seconds=round(seconds, 4),
            request_id=scope["request_id"],
            **_trace_fields(scope),
        )
        if self._tracing is not None:
            self._tracing.end_request(scope["span"], template, status)


def _check_name(host: bytes) -> None:
    """Refuse a page whose own host name was pointed at this machine (DNS rebinding).

    To the browser, such a page has the same origin as this service, so `Origin` does not show it.

    Raises:
        Forbidden: the call names a host other than this machine.
    """
    if not _is_loopback_name(host):
        raise Forbidden(
            f"this service is for its own machine and answers to localhost or 127.0.0.1, not to "
            f"{host.decode('latin-1')!r}; to serve other names set STEPAHEAD_API_KEY, or "
            "STEPAHEAD_ALLOW_ANONYMOUS=1 if anyone who can reach it may use it"
        )


@lru_cache(REMEMBERED_HOSTS)
def _is_loopback_name(host: bytes) -> bool:
    return not host or LOOPBACK_NAME.fullmatch(host) is not None


def _address(scope: Scope) -> str | None:
    client: tuple[str, int] | None = scope.get("client")
    return None if client is None else client[0]


def _change_of(scope: Scope, status: int) -> Change:
    return Change(
        caller=scope["caller"],
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        status=status,
        request_id=scope["request_id"],
        address=_address(scope),
    )


def _trace_fields(scope: Scope) -> dict[str, str]:
    trace = trace_of(dict(scope["headers"]))
    return {} if trace is None else {"trace_id": trace}


def _template_of(scope: Scope) -> str:
    """Return the path as its route spells it, so that there are only as many labels as routes."""
    route: Any = scope.get("route")
    return getattr(route, "path", None) or "unmatched"
