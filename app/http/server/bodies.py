"""Bodies of requests: of an announced length, or in chunks."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import httptools

from app.errors import HeadTooLarge
from app.http.server.heads import END_OF_HEAD, HeadReader, feed, masked

# Size of the pieces for the parser. The bytes around chunks are counted per piece.
PIECE_BYTES = 16 << 10


class Body(ABC):
    """The part of a request after its head."""

    is_complete: bool

    @abstractmethod
    def read(self, data: bytearray) -> None:
        """Remove what belongs to the body from the front of `data`.

        Raises:
            StepaheadError: it is not valid.
        """


class CountedBody(Body):
    """A body whose head announces its length."""

    def __init__(self, length: int, take: Callable[[bytes], None]) -> None:
        """Begin.

        Args:
            length: its bytes.
            take: receives the body piece by piece.
        """
        self._missing = length
        self._take = take
        self.is_complete = not length

    def read(self, data: bytearray) -> None:
        """Remove what belongs to the body from the front of `data`."""
        piece = bytes(data[: self._missing])
        del data[: len(piece)]
        self._missing -= len(piece)
        self.is_complete = not self._missing
        self._take(piece)


class ChunkReader(HeadReader):
    """The callbacks of httptools for a body in chunks."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        super().__init__()
        self._take = take
        self.has_advanced = False

    def on_chunk_header(self) -> None:
        """Note that a chunk begins."""
        self.has_advanced = True

    def on_body(self, piece: bytes) -> None:
        """Pass a piece of the body on."""
        self.has_advanced = True
        self._take(piece)


class ChunkedBody(Body):
    """A body in chunks, the last one empty, optionally followed by trailers."""

    def __init__(self, head: bytes, take: Callable[[bytes], None], *, max_frame_bytes: int) -> None:
        """Begin.

        Args:
            head: of the request, for the parser.
            take: receives the body piece by piece.
            max_frame_bytes: limit on the extensions of a chunk, and on all trailers.
        """
        self._reader = ChunkReader(take)
        self._parser = httptools.HttpRequestParser(self._reader)
        self._max_frame_bytes = max_frame_bytes
        self._frame_bytes = 0  # since the body last advanced
        self._last_bytes = b""  # of what was read: the end of the message may begin there
        self.is_complete = False
        feed(self._parser, masked(head))

    def read(self, data: bytearray) -> None:
        """Remove what belongs to the body from the front of `data`.

        Raises:
            InvalidRequest: the chunks are not valid.
            HeadTooLarge: extensions or trailers are over the limit.
        """
        while data and not self.is_complete:
            piece = self._next_piece(data)
            del data[: len(piece)]
            self._reader.has_advanced = False
            feed(self._parser, piece)
            self.is_complete = self._reader.message_is_complete
            self._frame_bytes = 0 if self._reader.has_advanced else self._frame_bytes + len(piece)
            if self._frame_bytes > self._max_frame_bytes:
                raise HeadTooLarge(
                    f"trailers and chunk extensions may have at most {self._max_frame_bytes} bytes"
                )

    def _next_piece(self, data: bytearray) -> bytes:
        """Return the front of `data` up to where the message may end, after an empty line.

        The next request may follow, and this parser must not see it.
        """
        before = len(self._last_bytes)
        beginning = self._last_bytes + data[:PIECE_BYTES]
        end = beginning.find(END_OF_HEAD)
        size = end + len(END_OF_HEAD) - before if end >= 0 else PIECE_BYTES
        piece = bytes(data[:size])
        self._last_bytes = (self._last_bytes + piece)[1 - len(END_OF_HEAD) :]
        return piece
