"""Splits received bytes into heads, bodies and pipelined requests."""

from collections.abc import Callable

from app.http.server.bodies import Body, ChunkedBody, CountedBody
from app.http.server.heads import END_OF_HEAD, LINE_END, Head, Heads, check_beginning


class RequestReader:
    """The received bytes of a connection that belong to no complete request yet."""

    def __init__(
        self, heads: Heads, take_piece: Callable[[bytes], None], *, max_frame_bytes: int
    ) -> None:
        """Begin.

        Args:
            heads: parses them.
            take_piece: receives bodies piece by piece.
            max_frame_bytes: limit on chunk extensions and trailers.
        """
        self._heads = heads
        self._take_piece = take_piece
        self._max_frame_bytes = max_frame_bytes
        self._searched = 0  # bytes of an incomplete head that do not contain its end
        self._body: Body | None = None
        self.unread = bytearray()

    def read_head(self) -> Head | None:
        """Return the next head, or None if it is incomplete.

        Raises:
            HeadTooLarge, UriTooLong: it is over the limit.
            InvalidRequest: it is not a valid head.
        """
        if not self._searched and self.unread.startswith((b"\r", b"\n")):
            self.unread = self.unread.lstrip(LINE_END)  # some clients send line ends after a body
        end = self.unread.find(END_OF_HEAD, self._searched)
        if end < 0:
            self._heads.check_size(self.unread)
            if not self._searched and self.unread:
                check_beginning(bytes(self.unread))
            self._searched = max(0, len(self.unread) - len(END_OF_HEAD))
            return None
        end += len(END_OF_HEAD)
        raw = bytes(self.unread[:end])
        del self.unread[:end]
        self._searched = 0
        head = self._heads.parse(raw)
        if head.is_chunked:
            self._body = ChunkedBody(raw, self._take_piece, max_frame_bytes=self._max_frame_bytes)
        else:
            self._body = CountedBody(head.content_length, self._take_piece)
        return head

    def read_body(self) -> bool:
        """Read what has arrived of the body, and return whether this completes it.

        Raises:
            StepaheadError: the body is not valid.
        """
        if self._body is None:
            return False
        if self.unread:
            self._body.read(self.unread)
        if self._body.is_complete:
            self._body = None
        return self._body is None

    def clear(self) -> None:
        """Discard everything."""
        self.unread.clear()
        self._body = None
