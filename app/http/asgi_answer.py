"""The answer to a direct call, sent through ASGI: whole, or in pieces as they come."""

import asyncio

from starlette.types import Send

from app.http.direct_calls import Headers


class AsgiAnswer:
    """An answer that a handler gives and a coroutine sends."""

    def __init__(self) -> None:
        self._head: asyncio.Future[tuple[int, Headers]]
        self._head = asyncio.get_running_loop().create_future()
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Give the whole answer."""
        self.begin(status, headers).write(body)
        self.end()

    def begin(self, status: int, headers: Headers) -> "AsgiAnswer":
        """Give the head; what is written and ended next is the body."""
        if not self._head.done():  # the caller may have disconnected
            self._head.set_result((status, headers))
        return self

    def write(self, piece: bytes) -> None:
        """Give a piece of the body."""
        self._pieces.put_nowait(piece)

    def end(self) -> None:
        """Complete the body."""
        self._pieces.put_nowait(None)

    async def send(self, send: Send) -> None:
        """Send the answer as it is given, to its end."""
        status, headers = await self._head
        await send({"type": "http.response.start", "status": status, "headers": headers})
        while (piece := await self._pieces.get()) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
