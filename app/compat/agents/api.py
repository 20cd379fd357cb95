"""The Model Context Protocol at `/mcp`: streamable HTTP, without sessions.

The SDK takes 27 MB of memory and 2 s to import, so it is imported when `/mcp` is first used.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.storage.resources import Resources

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PATH = "/mcp"
router = APIRouter()


class Agents:
    """Serves agents from their first request to the end of the app; kept in `app.state.agents`.

    Args:
        version: of the app.
        max_body_bytes: of a request.
    """

    def __init__(self, version: str, max_body_bytes: int) -> None:
        self._version = version
        self._max_body_bytes = max_body_bytes
        self._ready: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def manager(self) -> "StreamableHTTPSessionManager":
        """Return what handles requests, which begins with the first of them."""
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            # It outlives the request, whose id must not be in its log.
            self._running = asyncio.create_task(self._run(self._ready), context=Context())
        return await asyncio.shield(self._ready)

    async def close(self) -> None:
        """End all requests."""
        self._closing.set()
        if self._running is not None:
            await self._running

    async def _run(self, ready: "asyncio.Future[StreamableHTTPSessionManager]") -> None:
        """Keep the manager's task group open: the task that opens it must also close it."""
        try:
            manager = await asyncio.to_thread(self._made)
        except Exception as error:  # noqa: BLE001 - every request to come answers with it
            ready.set_exception(error)
            return
        async with manager.run():
            ready.set_result(manager)
            await self._closing.wait()

    def _made(self) -> "StreamableHTTPSessionManager":
        from app.compat.agents.server import make_manager

        return make_manager(self._version, self._max_body_bytes)


class _Handed(Response):
    """A response that the SDK sends."""

    def __init__(self, manager: "StreamableHTTPSessionManager") -> None:
        super().__init__()
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)


@router.post(PATH, include_in_schema=False)
async def mcp(request: Request) -> Response:
    """Answer an agent; `GET` is a 405, as for servers that send nothing by themselves."""
    agents: Agents = request.app.state.agents
    return _Handed(await agents.manager())


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Serve agents while the app serves."""
    agents = app.state.agents = Agents(app.version, resources.settings.max_body_bytes)
    try:
        yield
    finally:
        await agents.close()
