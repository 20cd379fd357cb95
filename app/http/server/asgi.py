"""ASGI calls of a connection, made by uvicorn from heads that our own parser read."""

import asyncio
import logging
import urllib.parse
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn._types import ASGISendEvent, HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from app.errors import InvalidRequest
from app.http.server.exchange import Exchange
from app.http.server.heads import Head
from app.http.server.transport import GatheringTransport

uvicorn_log = logging.getLogger("uvicorn.error")


class AsgiCycle(RequestResponseCycle):
    """A call by uvicorn that closes the connection where the end of the body is uncertain."""

    async def send(self, message: ASGISendEvent) -> None:
        """Send a part of the answer."""
        if self.waiting_for_100_continue and self.more_body:
            # A caller that was not asked for its body may send it or not. The next bytes could
            # be the body or the next request.
            self.keep_alive = False
        await super().send(message)


class AsgiExchange(Exchange):
    """A call of the ASGI app, in a task of its own."""

    def __init__(self, cycle: AsgiCycle) -> None:
        self._cycle = cycle

    def take(self, piece: bytes) -> None:
        """Accept a piece of the body."""
        self._cycle.body += piece
        self._cycle.message_event.set()

    def end(self) -> None:
        """Note that the body is complete."""
        self._cycle.more_body = False
        self._cycle.message_event.set()

    def leave(self) -> bool:
        """Tell the app that the caller is gone, and return whether its answer has begun."""
        cycle = self._cycle
        cycle.disconnected = True
        cycle.message_event.set()
        return cycle.response_started

    def close_afterwards(self) -> None:
        """Make the answer say `Connection: close`."""
        self._cycle.keep_alive = False

    @property
    def has_room(self) -> bool:
        """Whether more of the body may be read."""
        return len(self._cycle.body) <= HIGH_WATER_LIMIT

    @property
    def awaits_caller(self) -> bool:
        """Whether the caller has been asked for the body."""
        return not self._cycle.waiting_for_100_continue


class Flow(FlowControl):
    """The flow control that an ASGI call sees."""

    def __init__(self, transport: asyncio.Transport, read_on: Callable[[], None]) -> None:
        super().__init__(transport)
        self._read_on = read_on

    def resume_reading(self) -> None:
        """Read, because the app waits for the caller."""
        self._read_on()


class AsgiCalls:
    """The ASGI calls of one connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        transport: asyncio.Transport,
    ) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._server = get_local_addr(transport)
        self.client = get_remote_addr(transport)

    def begin(
        self,
        head: Head,
        *,
        transport: GatheringTransport,
        flow: Flow,
        keep_alive: bool,
        on_response: Callable[[], None],
    ) -> AsgiExchange:
        """Call the app for a request whose head is complete.

        Args:
            head: of the request.
            transport: of the connection.
            flow: of the connection.
            keep_alive: whether the connection stays open after the answer.
            on_response: is called when the answer is complete.

        Raises:
            InvalidRequest: its target is not a path.
        """
        cycle = AsgiCycle(
            scope=self._scope(head),
            transport=cast("asyncio.Transport", transport),
            flow=flow,
            logger=uvicorn_log,
            access_logger=uvicorn_log,
            access_log=False,
            default_headers=self._server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=head.expects_continue,
            keep_alive=keep_alive,
            on_response=on_response,
        )
        task = asyncio.get_running_loop().create_task(cycle.run_asgi(self._config.loaded_app))
        task.add_done_callback(self._server_state.tasks.discard)
        self._server_state.tasks.add(task)
        return AsgiExchange(cycle)

    def _scope(self, head: Head) -> HTTPScope:
        try:
            target = httptools.parse_url(head.target)
            raw_path = target.path
            path = urllib.parse.unquote(raw_path.decode("ascii"))
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError, AttributeError) as error:
            shown = head.target[:200].decode("latin-1")
            raise InvalidRequest(f"{shown!r} is not a path of this server") from error
        root_path = self._config.root_path
        return {
            "type": "http",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.3"},
            "http_version": head.version,
            "server": self._server,
            "client": self.client,
            "scheme": "http",
            "method": head.method,
            "root_path": root_path,
            "path": root_path + path,
            "raw_path": root_path.encode("ascii") + raw_path,
            "query_string": target.query or b"",
            "headers": list(head.headers),
            "state": self._app_state.copy(),
        }
