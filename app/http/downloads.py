"""Serve a stored object as a download: streamed, verified, with its sha256 as ETag."""

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
    """Return an object as an answer, or 304 if the caller already has it. Its ETag is its sha256.

    An object that no longer matches its sha256 is never sent completely.

    Args:
        objects: the object store.
        sha256: of the object.
        size: of the object, in bytes.
        filename: for the caller's copy; any text, even from a client.
        media_type: of the object.
        if_none_match: the `If-None-Match` header of the request.

    Raises:
        ObjectMissing: there is no such object.
    """
    headers = {"ETag": f'"{sha256}"', "Cache-Control": "private, max-age=31536000, immutable"}
    if if_none_match is not None and (sha256 in if_none_match or if_none_match.strip() == "*"):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    # Read before the answer begins, so that a missing object is an error and not half a file.
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
    """Return a `Content-Disposition` header for any file name (RFC 6266: in ASCII and UTF-8)."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\' else "_"
        for letter in filename
    )
    if plain == filename:
        return f'attachment; filename="{filename}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
