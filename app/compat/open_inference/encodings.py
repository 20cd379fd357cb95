"""Compressed answers, and the part of a body that is JSON."""

import gzip
import zlib
from collections.abc import Mapping

from app.errors import InvalidRequest

HEADER_LENGTH = "Inference-Header-Content-Length"
SMALLEST_COMPRESSED_BYTES = 1000  # a smaller answer fits into one packet anyway
FAST = 1  # level 6 takes three times as long for a tenth fewer bytes


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
