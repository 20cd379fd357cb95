"""Request bodies that come in pieces: read with a limit for each and one for all together.

Without the second, memory would grow with the number of callers: a body may have 32 MB, and slow
callers leave it half sent for as long as they like.
"""

from starlette.types import Receive

from app.errors import TooLarge, Unavailable

MAX_TOGETHER_BYTES = 128 << 20
# In the scope of a request whose handler writes the body to files as it comes, and limits it. Its
# content type says nothing: any call may carry that of an upload, and most read a body whole.
UPLOAD = "stepahead.upload"


class LargeBodies:
    """The bodies that this process is in the middle of reading."""

    def __init__(self, limit_bytes: int = MAX_TOGETHER_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self.bytes_held = 0

    async def read(self, first: bytes, receive: Receive, *, limit_bytes: int) -> bytes | None:
        """A body of which the first piece is there; None if the caller went away.

        Args:
            first: the piece.
            receive: gives the others.
            limit_bytes: of this body.

        Raises:
            TooLarge: it is over its limit.
            Unavailable: all of them together are over theirs; one by itself never is.
        """
        pieces: list[bytes] = []
        size = 0
        piece, more = first, True
        try:
            while True:
                if self.bytes_held > size and self.bytes_held + len(piece) > self._limit_bytes:
                    raise Unavailable("more large requests are coming in than can be held")
                pieces.append(piece)
                size += len(piece)
                self.bytes_held += len(piece)
                if size > limit_bytes:
                    raise TooLarge(too_large(limit_bytes))
                if not more:
                    return b"".join(pieces)  # one copy: adding piece to piece copied each anew
                message = await receive()
                if message["type"] != "http.request":
                    return None
                piece, more = message.get("body", b""), message.get("more_body", False)
        finally:
            self.bytes_held -= size


def too_large(limit_bytes: int) -> str:
    """Why a body is refused."""
    return f"the body may have at most {limit_bytes} bytes"
