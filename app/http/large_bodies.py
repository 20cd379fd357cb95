"""Read request bodies that arrive in pieces, with a limit for each and one for all together.

Without the second limit, memory would grow with the number of callers: a body may have 32 MB, and a
slow caller can leave it incomplete for as long as it likes.
"""

from starlette.types import Receive

from app.errors import TooLarge, Unavailable

MAX_TOGETHER_BYTES = 128 << 20
# In the scope of requests whose handler writes the body to files as it arrives and limits it
# itself. The content type does not identify these: a caller may send an upload's content type to
# any endpoint, and most endpoints read the whole body into memory.
UPLOAD = "stepahead.upload"


class LargeBodies:
    """The bodies that this process is currently reading."""

    def __init__(self, limit_bytes: int = MAX_TOGETHER_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self.bytes_held = 0

    async def read(self, first: bytes, receive: Receive, *, limit_bytes: int) -> bytes | None:
        """Read a body whose first piece has arrived; return None if the caller disconnected.

        Args:
            first: the first piece.
            receive: returns the next pieces.
            limit_bytes: of this body.

        Raises:
            TooLarge: the body is over its limit.
            Unavailable: all bodies together are over theirs; a single body never is.
        """
        pieces: list[bytes] = []
        size = 0
        piece, more = first, True
        try:
            while True:
                if self.bytes_held > size and self.bytes_held + len(piece) > self._limit_bytes:
                    raise Unavailable("too many large requests are being received at the same time")
                pieces.append(piece)
                size += len(piece)
                self.bytes_held += len(piece)
                if size > limit_bytes:
                    raise TooLarge(too_large(limit_bytes))
                if not more:
                    # one copy: appending pieces one by one would copy each time
                    return b"".join(pieces)
                message = await receive()
                if message["type"] != "http.request":
                    return None
                piece, more = message.get("body", b""), message.get("more_body", False)
        finally:
            self.bytes_held -= size


def too_large(limit_bytes: int) -> str:
    """Return the error for a body over its limit."""
    return f"the body may have at most {limit_bytes} bytes"
