"""Run the server as an api process does, around an app that shows what became of requests."""

import asyncio
import json
import resource
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Self

import uvicorn
from starlette.datastructures import State
from starlette.types import Receive, Scope, Send

from app.api_process import uvicorn_config
from app.config import Settings
from app.errors import Unauthorized
from app.http.caller import ANYONE, Change
from app.http.caller import Caller as AdmittedCaller
from app.http.direct_calls import Call
from app.http.gateway import Gateway
from app.http.server.connections import Connections
from app.process.observability import Metrics, configure_logging
from tests.service import PATIENCE_SECONDS, eventually

# The same request as a direct call and through ASGI.
PATHS = ("/direct", "/asgi")
KIB = 1024
KERNEL_BUFFER_BYTES = 128 * KIB


class KeyGuard:
    """Admits callers with the key, or everybody if there is no key."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.api_key

    def admit(
        self, method: str, path: str, headers: Mapping[bytes, bytes], address: str | None
    ) -> AdmittedCaller:
        del method, path, address
        given = headers.get(b"authorization", b"").decode()
        if self._key is not None and given != f"Bearer {self._key.get_secret_value()}":
            raise Unauthorized("the key is missing or wrong")
        return ANYONE

    async def record(self, change: Change) -> None:
        del change


class SmallApp:
    """Answers with the length of the body, when allowed to."""

    def __init__(self, settings: Settings) -> None:
        self.metrics = Metrics()
        self.state = State({"error_forms": {}})  # as FastAPI's, for what the gateway answers itself
        self.gateway = Gateway(
            self._through_asgi,
            settings=settings,
            metrics=self.metrics,
            direct={("POST", "/direct"): self._directly},
            guard=KeyGuard(settings),
        )
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.may_read = threading.Event()  # bodies, through ASGI
        self.may_read.set()
        self.answer_bytes = 0  # size of padding in each answer
        self.calls = 0
        self.disconnected = 0
        self.last_headers: list[tuple[bytes, bytes]] = []
        self._held: list[Call] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self.gateway(scope, receive, send)

    def let_go(self) -> None:
        """Answer the direct calls that were held back; call this on the event loop."""
        self.may_answer.set()
        held, self._held = self._held, []
        for call in held:
            call.answer(self._answer(len(call.request.body)))

    def _directly(self, call: Call) -> None:
        self.calls += 1
        if self.may_answer.is_set():
            call.answer(self._answer(len(call.request.body)))
        else:
            self._held.append(call)

    async def _through_asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        self.last_headers = scope["headers"]
        size, more = 0, True
        while more:
            await asyncio.to_thread(self.may_read.wait)
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnected += 1
                return
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        body = self._answer(size)
        if not self.may_answer.is_set():
            await receive()  # until the caller disconnects
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, body_bytes: int) -> bytes:
        return json.dumps({"bytes": body_bytes, "padding": " " * self.answer_bytes}).encode()


class SmallService:
    """A running server."""

    def __init__(
        self, app: SmallApp, server: uvicorn.Server, connections: Connections, port: int
    ) -> None:
        self.app = app
        self.server = server
        self.connections = connections
        self.port = port


@contextmanager
def small_service(**settings: object) -> Iterator[SmallService]:
    """Yield a server that answers, until the block ends."""
    chosen = Settings(**{"drain_seconds": 1.0, **settings})  # type: ignore[arg-type]
    app = SmallApp(chosen)
    connections = Connections(chosen, metrics=app.metrics)
    config = uvicorn_config(app, chosen, connections)
    config.lifespan = "off"
    listener = socket.create_server(("127.0.0.1", 0))
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):  # of its connections; otherwise up to 32 MB
        listener.setsockopt(socket.SOL_SOCKET, buffer, KERNEL_BUFFER_BYTES)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    eventually(lambda: server.started or not thread.is_alive())
    try:
        yield SmallService(app, server, connections, listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"


class Caller:
    """A connection on which the test writes the bytes itself."""

    def __init__(self, service: "SmallService | int") -> None:
        """Connect to a server, or to the port of one in another process."""
        address = ("127.0.0.1", service if isinstance(service, int) else service.port)
        self.socket = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.socket.setsockopt(socket.SOL_SOCKET, buffer, KERNEL_BUFFER_BYTES)
        self._received = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._received.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_what_is_taken(self, data: bytes) -> None:
        """Send to a server that may disconnect in the middle."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and JSON of the next answer."""
        status = int(self._received.readline().split()[1])
        headers = {}
        while line := self._received.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        body = self._received.read(int(headers.get("content-length", "0")))
        return status, headers, json.loads(body) if body else None

    def is_closed(self) -> bool:
        """Return whether only the end of the connection follows."""
        return self._received.read() == b""


def post(path: str, body: bytes = b"", *headers: str, version: str = "1.1") -> bytes:
    """Return a request with the length of its body in its head."""
    return head(path, f"Content-Length: {len(body)}", *headers, version=version) + body


def chunked(path: str, *pieces: bytes) -> bytes:
    """Return a request with a chunked body."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))
    return head(path, "Transfer-Encoding: chunked") + chunks


def head(path: str, *headers: str, version: str = "1.1") -> bytes:
    """Return the head of a POST."""
    lines = (f"POST {path} HTTP/{version}", "Host: localhost", *headers, "\r\n")
    return "\r\n".join(lines).encode()


def main() -> None:
    """Serve with few descriptors until input arrives, in a process of its own."""
    few = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, few))
    settings = Settings(log_format="console")
    configure_logging(settings)
    with small_service() as service:
        print(service.port, flush=True)  # noqa: T201 (read by the other process)
        sys.stdin.read(1)
        eventually(lambda: service.connections.closed == service.connections.logged)


if __name__ == "__main__":
    main()
