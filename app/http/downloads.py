"""A stored object as a download: streamed, verified, known by its sha256."""

import base64
from itertools import chain
from urllib.parse import quote

from fastapi import status
from fastapi.responses import Response, StreamingResponse

from app.storage.object_store import ObjectStore


def download(
    objects: ObjectStore,
    sha256: str,
    *,
    size: int,
    filename: str,
    media_type: str,
    if_none_match: str | None,
) -> Response:
    """The object under a name; 304 if the caller has it. Its ETag is its sha256.

    What does not match its sha256 any more is never sent whole.

    Args:
        objects: where it is.
        sha256: its key.
        size: its bytes.
        filename: what the caller's copy is to be called; any text, from a client too.
        media_type: what it is.
        if_none_match: what the caller has.

    Raises:
        ObjectMissing: there is no such object.
    """
    headers = {"ETag": f'"{sha256}"', "Cache-Control": "private, max-age=31536000, immutable"}
    if if_none_match is not None and (sha256 in if_none_match or if_none_match.strip() == "*"):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    # Taken before the answer begins: a missing object is an error, not half a file.
    pieces = objects.stream(sha256)
    beginning = next(pieces, b"")
    digest = base64.b64encode(bytes.fromhex(sha256)).decode()
    return StreamingResponse(
        chain([beginning], pieces),
        media_type=media_type,
        headers={
            **headers,
            "Content-Length": str(size),
            "Content-Disposition": disposition(filename),
            "Repr-Digest": f"sha-256=:{digest}:",
            "X-Content-Type-Options": "nosniff",
        },
    )


def disposition(filename: str) -> str:
    """`Content-Disposition` for a name of any letters (RFC 6266: plain, and as UTF-8)."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\' else "_"
        for letter in filename
    )
    if plain == filename:
        return f'attachment; filename="{filename}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
