"""Read request bodies that arrive in pieces, with a limit for each and one for all together.

Without the second limit, memory would grow with the number of callers: a body may have 32 MB, and a
slow caller can leave it incomplete for as long as it likes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from app.errors import StepaheadError, TooLarge, Unavailable

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

    @contextmanager
    def body(self, *, limit_bytes: int) -> Iterator[Callable[[bytes], None]]:
        """Yield a function that counts each piece of one body; afterwards the body is forgotten.

        It raises TooLarge if this body is over its limit, and Unavailable if all bodies together
        are over theirs; a single body never is.
        """
        size = 0

        def count(piece: bytes) -> None:
            nonlocal size
            if self.bytes_held > size and self.bytes_held + len(piece) > self._limit_bytes:
                raise Unavailable("too many large requests are being received at the same time")
            size += len(piece)
            self.bytes_held += len(piece)
            if size > limit_bytes:
                raise TooLarge(too_large(limit_bytes))

        try:
            yield count
        finally:
            self.bytes_held -= size

    async def read(self, first: bytes, receive: Receive, *, limit_bytes: int) -> bytes | None:
        """Read a body whose first piece has arrived; return None if the caller disconnected.

        Args:
            first: the first piece.
            receive: returns the next pieces.
            limit_bytes: of this body.

        Raises:
            TooLarge: the body is over its limit.
            Unavailable: all bodies together are over theirs.
        """
        pieces: list[bytes] = []
        piece, more = first, True
        with self.body(limit_bytes=limit_bytes) as count:
            while True:
                count(piece)
                pieces.append(piece)
                if not more:
                    # one copy: appending pieces one by one would copy each time
                    return b"".join(pieces)
                message = await receive()
                if message["type"] != "http.request":
                    return None
                piece, more = message.get("body", b""), message.get("more_body", False)


def too_large(limit_bytes: int) -> str:
    """Return the error for a body over its limit."""
    return f"the body may have at most {limit_bytes} bytes"


def counted(receive: Receive, scope: Scope, count: Callable[[bytes], None]) -> Receive:
    """Return a `receive` that counts the pieces of a body, except those of uploads."""

    async def receive_piece() -> Message:
        message = await receive()
        if UPLOAD not in scope:
            try:
                count(message.get("body", b""))
            except StepaheadError as error:
                # While FastAPI reads a body, it turns any other error into a 400.
                raise HTTPException(error.status, error.detail) from error
        return message

    return receive_piece
