"""A body that is sent in pieces, in HTTP/1.1's chunked transfer coding (RFC 9112, section 7.1)."""

import asyncio
from collections.abc import Callable

CHUNKED = (b"transfer-encoding", b"chunked")
LAST_CHUNK = b"0\r\n\r\n"


class ChunkedBody:
    """The body of an answer whose head was sent."""

    def __init__(self, transport: asyncio.Transport, on_end: Callable[[], None]) -> None:
        self._transport = transport
        self._on_end = on_end

    def write(self, piece: bytes) -> None:
        """Send a piece; does nothing if the caller is gone."""
        if not self._transport.is_closing():
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def end(self) -> None:
        """Complete the answer."""
        if not self._transport.is_closing():
            self._transport.write(LAST_CHUNK)
            self._on_end()
