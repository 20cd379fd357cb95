"""A transport that sends the writes of one event loop iteration together."""

import asyncio
from collections.abc import Callable

# Above this size it sends at once: a long download would fill memory.
MAX_GATHERED_BYTES = 64 << 10


class GatheringTransport:
    """A transport that sends the writes of one event loop iteration together.

    uvicorn writes head and body separately, and a write to a socket costs about 25 us.
    """

    def __init__(self, transport: asyncio.Transport, hang_up: Callable[[], None]) -> None:
        """Begin with nothing written.

        Args:
            transport: sends the data.
            hang_up: closes the transport.
        """
        self._transport = transport
        self._hang_up = hang_up
        self._loop = asyncio.get_running_loop()
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0

    def __getattr__(self, name: str) -> object:
        # Everything but writing is left to the transport.
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send data together with what else is written in this iteration."""
        if not self._gathered:
            self._loop.call_soon(self.flush)
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        if self._gathered_bytes > MAX_GATHERED_BYTES:
            self.flush()

    def close(self) -> None:
        """Close after what was written."""
        self.flush()
        self._hang_up()

    def flush(self) -> None:
        """Send what was written."""
        if self._gathered:
            data = b"".join(self._gathered)
            self._gathered.clear()
            self._gathered_bytes = 0
            if not self._transport.is_closing():
                self._transport.write(data)
