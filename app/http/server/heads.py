"""Heads of requests: limited in size, parsed when complete, and remembered.

The parser only sees complete heads, so a head that never ends costs no more than its limit.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import httptools

from app.errors import HeadTooLarge, InvalidRequest, UriTooLong

END_OF_HEAD = b"\r\n\r\n"
LINE_END = b"\r\n"
BLANKS = b" \t"
VERSION = "1.1"

# RFC 9110, section 7.8 allows a server to ignore an offer to change the protocol. llhttp does not
# ignore it: it takes the body for the other protocol, so a POST of `curl --http2` or of Java's
# HttpClient lost its body. The parser sees the header under another name of the same length.
OFFER = re.compile(rb"(?<=\r\n)upgrade(?=:)", re.IGNORECASE)
MASKED_OFFER = b"-pgrade"
OFFER_NAME = b"upgrade"

# Callers repeat their heads. A lookup takes 0.2 us, parsing takes 5 us.
MAX_KNOWN_HEADS = 512
MAX_KNOWN_HEAD_BYTES = 1024


class Head(NamedTuple):
    """A parsed head."""

    method: str
    target: bytes  # as it was sent
    version: str  # "1.1"
    headers: list[tuple[bytes, bytes]]  # names in lower case
    fields: Mapping[bytes, bytes]  # the same; of several of one name, the last
    keep_alive: bool
    content_length: int
    is_chunked: bool
    expects_continue: bool
    call: tuple[str, str]  # method and target: the key of a direct call


class HeadReader:
    """The callbacks of httptools for one request."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.head_is_complete = False
        self.message_is_complete = False
        self._messages = 0

    def on_message_begin(self) -> None:
        """Refuse a second message, which would be mixed up with the first."""
        self._messages += 1
        if self._messages > 1:
            raise InvalidRequest("the request does not end where its head says")

    def on_url(self, piece: bytes) -> None:
        """Add to the target."""
        self.target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; ignore trailers, which follow the body."""
        if not self.head_is_complete:
            name = name.lower()
            name = OFFER_NAME if name == MASKED_OFFER else name
            self.headers.append((name, value.rstrip(BLANKS)))

    def on_headers_complete(self) -> None:
        """Note that body and trailers follow."""
        self.head_is_complete = True

    def on_message_complete(self) -> None:
        """Note that the message is complete."""
        self.message_is_complete = True


class Heads:
    """Parsed heads by their bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._known: dict[bytes, Head] = {}

    def parse(self, raw: bytes) -> Head:
        """Return a parsed head.

        Args:
            raw: the complete head with the empty line at its end.

        Raises:
            HeadTooLarge, UriTooLong: it is over the limit.
            InvalidRequest: it is not a valid head.
        """
        head = self._known.get(raw)
        if head is None:
            self.check_size(raw)
            head = parse_head(raw)
            if len(raw) <= MAX_KNOWN_HEAD_BYTES:
                if len(self._known) >= MAX_KNOWN_HEADS:
                    self._known.clear()
                self._known[raw] = head
        return head

    def check_size(self, raw: bytes | bytearray) -> None:
        """Refuse a head over the limit.

        Raises:
            HeadTooLarge, UriTooLong: it is over the limit.
        """
        if len(raw) <= self._max_bytes:
            return
        if LINE_END in raw[: self._max_bytes]:
            raise HeadTooLarge(f"the headers may have at most {self._max_bytes} bytes")
        raise UriTooLong(f"the request line may have at most {self._max_bytes} bytes")


def parse_head(raw: bytes) -> Head:
    """Return a parsed head.

    Raises:
        InvalidRequest: it is not a valid head.
    """
    reader = HeadReader()
    parser = httptools.HttpRequestParser(reader)
    feed(parser, masked(raw))
    if not reader.head_is_complete:
        raise InvalidRequest("the request has no complete head")
    fields = dict(reader.headers)
    method = parser.get_method().decode("ascii")
    version = parser.get_http_version()
    content_length = int(fields.get(b"content-length", b"0"))
    return Head(
        method,
        reader.target,
        version,
        reader.headers,
        fields,
        keep_alive=version == VERSION and parser.should_keep_alive(),
        content_length=content_length,
        is_chunked=not (reader.message_is_complete or content_length),
        expects_continue=fields.get(b"expect", b"").lower() == b"100-continue",
        call=(method, reader.target.decode("latin-1")),
    )


def check_beginning(raw: bytes) -> None:
    """Refuse bytes that cannot become a head, such as the beginning of TLS.

    Raises:
        InvalidRequest: they cannot.
    """
    feed(httptools.HttpRequestParser(HeadReader()), raw)


def masked(raw: bytes) -> bytes:
    """Return a head without an offer that the parser would act on."""
    return OFFER.sub(MASKED_OFFER, raw)


def feed(parser: httptools.HttpRequestParser, data: bytes) -> None:
    """Feed a parser.

    Raises:
        InvalidRequest: the bytes are not HTTP.
    """
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade as error:
        raise InvalidRequest("CONNECT is not supported: this server is not a proxy") from error
    except httptools.HttpParserError as error:
        raise InvalidRequest(f"the request is not valid HTTP: {error}") from error
