"""Compressed bodies, and the part of a body that is JSON."""

import gzip
import zlib
from collections.abc import Mapping

from app.errors import InvalidRequest, TooLarge, UnsupportedMediaType
from app.http.large_bodies import too_large

HEADER_LENGTH = "Inference-Header-Content-Length"
ANY_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32  # the first bytes tell which of the two it is
SMALLEST_COMPRESSED_BYTES = 1000  # a smaller answer fits into one packet anyway
FAST = 1  # level 6 takes three times as long for a tenth fewer bytes


def decompressed(body: bytes, encoding: str, *, limit_bytes: int) -> bytes:
    """Return a body without its `Content-Encoding`.

    Raises:
        InvalidRequest: it is not in that encoding.
        TooLarge: it has more than `limit_bytes` after decompression.
        UnsupportedMediaType: the encoding is not supported.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "deflate"}:
        raise UnsupportedMediaType(
            f"the content encoding is {encoding[:100]!r}; this call reads gzip and deflate"
        )
    reader = zlib.decompressobj(ANY_ZLIB_OR_GZIP)
    try:
        found = reader.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise InvalidRequest(f"the body is not {encoding}: {error}") from error
    if len(found) > limit_bytes:
        raise TooLarge(f"{too_large(limit_bytes)} once it is decompressed")
    if not reader.eof:
        raise InvalidRequest(f"the body ends in the middle of its {encoding}")
    return found


def compressed(body: bytes, accepted: str) -> tuple[bytes, dict[str, str]]:
    """Return an answer in an encoding that the client accepts, with the headers that say so."""
    vary = {"Vary": "Accept-Encoding"}
    if len(body) < SMALLEST_COMPRESSED_BYTES:
        return body, vary
    for encoding, compress in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        if _is_accepted(encoding, accepted):
            return compress(body, FAST), {**vary, "Content-Encoding": encoding}
    return body, vary


def _is_accepted(encoding: str, accepted: str) -> bool:
    for entry in accepted.lower().split(","):
        name, _, weight = entry.partition(";")
        if name.strip() == encoding:
            return weight.replace(" ", "") not in {"q=0", "q=0.0"}
    return False


def header_and_tensors(body: bytes, headers: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Return the JSON of a body, and the raw tensors after it.

    Raises:
        InvalidRequest: the header that says where the JSON ends does not fit the body.
    """
    given = headers.get(HEADER_LENGTH)
    if given is None:
        return body, b""
    # The length is checked first: int() refuses more than 4,300 digits with a message of its own.
    length = int(given) if given.isascii() and given.isdigit() and len(given) <= 20 else -1
    if not 0 <= length <= len(body):
        raise InvalidRequest(
            f"{HEADER_LENGTH} is {given[:100]!r}; it says how many of the body's {len(body)} bytes "
            "are JSON"
        )
    return body[:length], body[length:]
