"""The server's side of one HTTP/1.1 connection.

uvicorn runs the server, its signals and the ASGI calls. This module reads requests and writes
answers, for two reasons:

- Speed. A direct call (app.http.direct_calls) needs no task, no ASGI messages and no timer.
- Safety. No caller may hurt another by what it sends or fails to send. A connection handles one
  request at a time and reads no further than that request needs. Everything that is kept has a
  maximum size, and every wait for a caller has a time limit.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from app.errors import RequestTimeout, StepaheadError
from app.http.direct_calls import (
    DirectHandler,
    DirectHandlers,
    Headers,
    Whole,
    problem_answer,
    request_id_of,
)
from app.http.gateway import Gateway
from app.http.server.asgi import AsgiCalls, Flow
from app.http.server.chunked import CHUNKED, ChunkedBody
from app.http.server.connections import AddressGroup, Connections
from app.http.server.exchange import DirectExchange, Exchange
from app.http.server.heads import END_OF_HEAD, VERSION, Head, Heads
from app.http.server.phase import Phase
from app.http.server.requests import RequestReader
from app.http.server.time_limits import DISCARD_SECONDS, LINGER_SECONDS, BodySpeed, SendProgress
from app.http.server.transport import GatheringTransport

# At a stop, idle connections stay this long: the next request is answered instead of reset.
FAREWELL_SECONDS = 0.25

IDLE, HEAD, BODY, ANSWER, DISCARD, LINGER = Phase


class Connection(asyncio.Protocol):
    """A connection to a caller."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        connections: Connections,
        heads: Heads,
    ) -> None:
        super().__init__()
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._gateway: Gateway | None = getattr(config.loaded_app, "gateway", None)
        self._direct: DirectHandlers = {} if self._gateway is None else self._gateway.direct
        self._connections = connections
        self._settings = connections.settings
        self._heads = heads
        self._loop = _loop or asyncio.get_running_loop()
        self._is_stopping = False  # the next answer is the last one

        self.address_group: AddressGroup | None = None
        self._address: str | None = None
        self.since = self._loop.time()  # when the phase began
        self._phase = IDLE
        self._requests = RequestReader(
            heads, self._take_piece, max_frame_bytes=self._settings.max_head_bytes
        )
        self._is_reading = True
        self._head: Head | None = None
        self._exchange: Exchange | None = None
        self._keep_alive = True
        self._body_speed = BodySpeed(
            seconds=self._settings.body_seconds,
            min_bytes_per_second=self._settings.min_body_bytes_per_second,
        )
        self._send_progress = SendProgress(seconds=self._settings.send_seconds)

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or refuse it if there are too many."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not derived from it
        self._gathering = GatheringTransport(self._transport, self._hang_up)
        self._flow = Flow(self._transport, self._read_for_app)
        self._asgi = AsgiCalls(self._config, self._server_state, self._app_state, self._transport)
        self._server_state.connections.add(self)  # type: ignore[arg-type]
        if self._asgi.client is not None:
            self._address = self._asgi.client[0]
            self.address_group = self._connections.address_group(self._address)
        descriptor = self._transport.get_extra_info("socket").fileno()
        try:
            self._connections.add(self, descriptor=descriptor)
        except StepaheadError as error:
            self._refuse(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything."""
        del exc
        self._server_state.connections.discard(self)
        self._connections.discard(self)
        if self._exchange is not None:
            self._exchange.leave()
            self._exchange = None
        self._flow.resume_writing()
        self._phase = LINGER
        self._requests.clear()

    def data_received(self, data: bytes) -> None:
        """Handle a request or a part of one."""
        if self._phase == LINGER:
            return
        try:
            if self._phase == IDLE and not self._requests.unread and self._take_direct_call(data):
                return
            self._requests.unread += data
            self._body_speed.bytes += len(data)
            self._advance()
        except StepaheadError as error:
            self._refuse(error)

    def pause_writing(self) -> None:
        """Start no further request while the caller does not read its answers."""
        self._flow.pause_writing()

    def resume_writing(self) -> None:
        """Start requests again."""
        self._flow.resume_writing()
        self._loop.call_soon(self._continue)

    # Called by uvicorn's server

    def shutdown(self) -> None:
        """Answer the current request, or one that is about to arrive, then close."""
        self._is_stopping = True
        self._keep_alive = False
        self._loop.call_later(self._settings.drain_seconds, self._transport.abort)
        if self._exchange is not None:
            self._exchange.close_afterwards()
        if self._phase <= HEAD:
            self._loop.call_later(FAREWELL_SECONDS, self._close_if_idle)
        elif self._phase in {DISCARD, LINGER}:
            self._transport.abort()

    def _close_if_idle(self) -> None:
        if self._phase <= HEAD:
            self._transport.close()

    # Called by `Connections`

    @property
    def is_idle(self) -> bool:
        """Whether there is no current request; an incomplete head does not count as one."""
        return self._phase in {IDLE, HEAD, LINGER} and not self._transport.is_closing()

    def evict(self) -> None:
        """Close this idle connection to make room for another."""
        if self._phase == LINGER:
            self._transport.abort()
        else:
            self._transport.close()

    def check(self, now: float) -> str | None:
        """Close the connection if the caller is too slow, and return the reason."""
        settings = self._settings
        waited = now - self.since
        if self._send_progress.has_stalled(now, self._transport.get_write_buffer_size()):
            self._transport.abort()
            return "answers not read"
        if self._phase == IDLE and waited > settings.keep_alive_seconds:
            self._transport.close()
        elif self._phase == HEAD and waited > settings.head_seconds:
            self._refuse(RequestTimeout("the request's head did not arrive in time"))
            return "head too slow"
        elif self._phase == BODY and self._is_body_slow(now):
            speed = settings.min_body_bytes_per_second
            self._refuse(RequestTimeout(f"the body arrived at less than {speed} bytes a second"))
            return "body too slow"
        elif waited > {LINGER: LINGER_SECONDS, DISCARD: DISCARD_SECONDS}.get(self._phase, waited):
            self._transport.abort()
        return None

    def _is_body_slow(self, now: float) -> bool:
        exchange = self._exchange
        if not self._is_reading or exchange is None or not exchange.awaits_caller:
            self._body_speed.begin(now)  # the caller is waiting for us
            return False
        return self._body_speed.is_too_slow(now)

    # Reading

    def _take_direct_call(self, data: bytes) -> bool:
        """Start a direct call that arrived in one piece; return False for anything else."""
        end = data.find(END_OF_HEAD) + len(END_OF_HEAD)
        if end < len(END_OF_HEAD):
            return False
        head = self._heads.parse(data[:end])
        handler = self._direct_handler(head)
        if handler is None or len(data) != end + head.content_length:
            return False
        self._head = head
        self._keep_alive = head.keep_alive and not self._is_stopping
        self._call(handler, data[end:])
        return True

    def _direct_handler(self, head: Head) -> DirectHandler | None:
        """Return the handler of a direct call; None for a large or unusual request."""
        handler = self._direct.get(head.call)
        if (
            handler is None
            or head.content_length > HIGH_WATER_LIMIT
            or head.is_chunked
            or head.expects_continue
            or head.version != VERSION
            or self._flow.write_paused
        ):
            return None
        return handler

    def _call(self, handler: DirectHandler, body: bytes) -> None:
        head = self._head
        if head is None or self._gateway is None:
            raise TypeError("a direct call without a head or a gateway")
        self._phase = ANSWER
        given = head.method, head.call[1], head.fields, body, self._respond, self._address
        self._gateway.take(handler, Whole(*given, self._transport.is_closing, self._begin_answer))

    def _continue(self) -> None:
        """Handle input that was received during the previous request."""
        if self._transport.is_closing():
            return
        try:
            self._advance()
        except StepaheadError as error:
            self._refuse(error)

    def _advance(self) -> None:
        """Continue the current request, or start the next one."""
        if self._phase <= HEAD and not self._flow.write_paused:
            head = self._requests.read_head()
            if head is not None:
                self._begin(head)
            elif self._phase == IDLE and self._requests.unread:
                self._phase, self.since = HEAD, self._loop.time()
        if self._requests.read_body():
            self._end_body()
        self._control_reading()

    def _begin(self, head: Head) -> None:
        """Start a request whose head is complete."""
        self._head = head
        self._keep_alive = head.keep_alive and not self._is_stopping
        handler = self._direct_handler(head)
        if handler is None:
            self._exchange = self._asgi.begin(
                head,
                transport=self._gathering,
                flow=self._flow,
                keep_alive=self._keep_alive,
                on_response=self._answered,
            )
        else:
            self._exchange = DirectExchange(partial(self._call, handler))
        self._phase, self.since = BODY, self._loop.time()
        self._body_speed.begin(self.since, received=len(self._requests.unread))

    def _take_piece(self, piece: bytes) -> None:
        if self._exchange is not None:
            self._exchange.take(piece)

    def _end_body(self) -> None:
        if self._phase == DISCARD:
            self._become_idle()
            return
        self._phase = ANSWER
        if self._exchange is not None:
            self._exchange.end()

    def _control_reading(self) -> None:
        """Read only what the current request needs; TCP makes the caller wait with the rest."""
        if self._phase == HEAD:
            wanted = True
        elif self._phase == BODY:
            wanted = self._exchange is None or self._exchange.has_room
        else:  # reading also notices that a caller hangs up
            wanted = not self._requests.unread
        if self._phase <= HEAD and self._flow.write_paused:
            wanted = False
        self._read(wanted=wanted)

    def _read_for_app(self) -> None:
        """Read: the app waits for more of the body, or for the caller to hang up."""
        self._read(wanted=self._phase == BODY or not self._requests.unread)

    def _read(self, *, wanted: bool) -> None:
        if wanted != self._is_reading and not self._transport.is_closing():
            self._is_reading = wanted
            change = self._transport.resume_reading if wanted else self._transport.pause_reading
            change()

    # Answering

    def _respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send the answer to a direct call."""
        if self._transport.is_closing():
            return
        self._write(status, headers, body)
        self._end_answer()

    def _begin_answer(self, status: int, headers: Headers) -> ChunkedBody:
        """Send the head of an answer to a direct call whose body comes in pieces."""
        self._write(status, [*headers, CHUNKED], b"")
        return ChunkedBody(self._transport, self._end_answer)

    def _end_answer(self) -> None:
        if not self._keep_alive:
            self._hang_up()
        self._answered()

    def _write(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a complete answer."""
        self._gathering.flush()
        parts = [STATUS_LINE[status]]
        for name, value in (*self._server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        if not self._keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", body)
        self._transport.write(b"".join(parts))

    def _answered(self) -> None:
        """Continue after an answer."""
        self._server_state.total_requests += 1
        self._exchange = None
        if self._phase == LINGER or self._transport.is_closing():
            pass
        elif self._phase == BODY:
            self._phase, self.since = DISCARD, self._loop.time()
            self._control_reading()
        else:
            self._become_idle()

    def _become_idle(self) -> None:
        self._phase = IDLE
        self._head = None
        self.since = self._loop.time()
        if self._requests.unread:
            self._loop.call_soon(self._continue)  # other connections take their turn first
        elif not self._is_reading:
            self._control_reading()

    def _refuse(self, error: StepaheadError) -> None:
        """Answer a request that cannot be served, and close."""
        exchange, self._exchange = self._exchange, None
        if self._phase == DISCARD or (exchange is not None and exchange.leave()):
            self._transport.abort()  # another answer is already on its way
            return
        fields = {} if self._head is None else self._head.fields
        request_id = request_id_of(fields)
        self._keep_alive = False
        self._write(*problem_answer(error, request_id))
        if self._gateway is not None:
            self._gateway.count_refused(error, request_id, self._address)
        self._phase = BODY  # the caller may still be sending it
        self._hang_up()

    def _hang_up(self) -> None:
        """Close after what was written, so that the caller can read all of it."""
        if self._phase == LINGER:
            return
        is_sending = self._phase in {HEAD, BODY, DISCARD} or bool(self._requests.unread)
        self._requests.clear()
        if not is_sending or self._is_stopping:
            self._transport.close()
            return
        self._phase, self.since = LINGER, self._loop.time()
        self._read(wanted=True)
        if not self._transport.is_closing():
            self._transport.write_eof()


def protocol_class(connections: Connections) -> Callable[..., Connection]:
    """Return the factory for `uvicorn.Config(http=…)`."""
    heads = Heads(connections.settings.max_head_bytes)

    def connection(**given: Any) -> Connection:  # noqa: ANN401 (uvicorn's own)
        return Connection(**given, connections=connections, heads=heads)

    return connection
