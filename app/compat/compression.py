"""Compressed bodies."""

import zlib

from app.errors import InvalidRequest, TooLarge, UnsupportedMediaType
from app.http.large_bodies import too_large

ANY_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32  # the first bytes tell which of the two it is
SMALLEST_WINDOW_BYTES = 8 << 20  # that a reader of zstd must allow (RFC 8878, section 3.1.1.1.2)
UNFINISHED = "the body ends in the middle of its {}"


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
    if encoding == "zstd":
        found = _without_zstd(body, limit_bytes)
    elif encoding in {"gzip", "deflate"}:
        found = _without_zlib(body, encoding, limit_bytes)
    else:
        raise UnsupportedMediaType(
            f"the content encoding is {encoding[:100]!r}; this call reads gzip, deflate and zstd"
        )
    if len(found) > limit_bytes:
        raise TooLarge(f"{too_large(limit_bytes)} once it is decompressed")
    return found


def _without_zlib(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """Return a body, or its beginning if it is over the limit."""
    reader = zlib.decompressobj(ANY_ZLIB_OR_GZIP)
    try:
        found = reader.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise InvalidRequest(f"the body is not {encoding}: {error}") from error
    if len(found) <= limit_bytes and not reader.eof:
        raise InvalidRequest(UNFINISHED.format(encoding))
    return found


def _without_zstd(body: bytes, limit_bytes: int) -> bytes:
    """Return a body, or its beginning if it is over the limit."""
    import zstandard

    most = max(limit_bytes, SMALLEST_WINDOW_BYTES)
    try:
        size = zstandard.get_frame_parameters(body).content_size
        with zstandard.ZstdDecompressor(max_window_size=most).stream_reader(body) as reader:
            found = reader.read(limit_bytes + 1)
    except zstandard.ZstdError as error:
        raise InvalidRequest(f"the body is not zstd: {error}") from error
    # What does not announce its size ends too early for JSON.
    if size != zstandard.CONTENTSIZE_UNKNOWN and len(found) < min(size, limit_bytes + 1):
        raise InvalidRequest(UNFINISHED.format("zstd"))
    return found
