"""HTTP as uvicorn speaks it, with one write to the socket per answer instead of two.

uvicorn writes head and body apart, and a write to a socket costs about 25 us: with both in one, an
api process spent a fifth less on a small prediction (November 2026, uvicorn 0.54).
"""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# More than this leaves at once: gathering a long download would fill memory.
MAX_GATHERED_BYTES = 64 << 10


class GatheringTransport:
    """A transport whose writes leave together at the end of the loop's turn."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0

    def __getattr__(self, name: str) -> object:
        # All that is not about writing is the transport's own.
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Have it sent with what else is written in this turn."""
        if not self._gathered:
            self._loop.call_soon(self._flush)
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        if self._gathered_bytes > MAX_GATHERED_BYTES:
            self._flush()

    def close(self) -> None:
        """Close behind what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._gathered:
            data = b"".join(self._gathered)
            self._gathered.clear()
            self._gathered_bytes = 0
            if not self._transport.is_closing():
                self._transport.write(data)


class GatheringProtocol(HttpToolsProtocol):
    """For `uvicorn.Config(http=…)`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the gathering transport between."""
        super().connection_made(cast("asyncio.Transport", GatheringTransport(transport)))
