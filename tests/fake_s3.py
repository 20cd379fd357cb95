"""Implement the part of S3 that the object store uses: objects, copies, lists, uploads in parts."""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PART_BYTES = 5 << 20  # the minimum size of a part that is not the last
PIECE_BYTES = 1 << 20
PATIENCE_SECONDS = 60


class Bucket:
    """The stored objects by key, and the server's behaviour."""

    def __init__(self) -> None:
        self.status = 200  # status of every answer, if set
        self.code = ""  # code of the error in such an answer
        self.pause_seconds = 0.0  # delay before every answer, and between its pieces
        self.hangs_after: int | None = None  # number of bytes after which an answer stops
        self.released = threading.Event()  # ends answers that hang
        self.changes_bytes = False  # keys that were requested
        self.objects: dict[str, bytes] = {}
        self.modified: dict[str, datetime] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.numbers = count(1)

    def put(self, key: str, data: bytes) -> None:
        self.modified[key] = datetime.now(UTC)
        self.objects[key] = data


class Handler(BaseHTTPRequestHandler):
    """Handles a request; paths are /bucket/key."""

    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base has it
        pass

    def _target(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, True).items()}
        return unquote(parts.path).removeprefix("/bucket").lstrip("/"), query

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        bucket = self.bucket
        time.sleep(bucket.pause_seconds)
        if bucket.status != HTTPStatus.OK:
            status, body = bucket.status, f"<Error><Code>{bucket.code}</Code></Error>".encode()
        if bucket.hangs_after == 0:
            bucket.released.wait(PATIENCE_SECONDS)
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self._write(body)

    def _write(self, body: bytes) -> None:
        bucket = self.bucket
        if bucket.hangs_after is not None:
            self.wfile.write(body[: bucket.hangs_after])
            bucket.released.wait(PATIENCE_SECONDS)
            self.close_connection = True
            return
        for start in range(0, len(body), PIECE_BYTES):
            if start:
                time.sleep(bucket.pause_seconds)
            self.wfile.write(body[start : start + PIECE_BYTES])

    def do_PUT(self) -> None:
        key, query = self._target()
        data = self._body()
        source = self.headers.get("x-amz-copy-source")
        if "uploadId" in query:
            self.bucket.uploads[query["uploadId"]][int(query["partNumber"])] = data
        elif source is not None:
            self.bucket.put(key, self.bucket.objects[unquote(source).split("bucket/", 1)[1]])
        else:
            self.bucket.put(key, data)
        tag = f'"{hashlib.md5(data).hexdigest()}"'  # noqa: S324 - what S3 does
        body = f"<CopyObjectResult><ETag>{escape(tag)}</ETag></CopyObjectResult>" if source else ""
        self._answer(200, body.encode(), ETag=tag)

    def do_POST(self) -> None:
        key, query = self._target()
        data = self._body()
        if "delete" in query:
            keys = re.findall("<Key>(.*?)</Key>", data.decode())
            for each in keys:
                self.bucket.objects.pop(each, None)
            deleted = "".join(f"<Deleted><Key>{each}</Key></Deleted>" for each in keys)
            body = f"<DeleteResult>{deleted}</DeleteResult>"
        elif "uploads" in query:
            upload = str(next(self.bucket.numbers))
            self.bucket.uploads[upload] = {}
            name = "InitiateMultipartUploadResult"
            body = f"<{name}><UploadId>{upload}</UploadId></{name}>"
        else:
            parts = [data for _, data in sorted(self.bucket.uploads.pop(query["uploadId"]).items())]
            assert all(len(part) >= PART_BYTES for part in parts[:-1])
            self.bucket.put(key, b"".join(parts))
            name = "CompleteMultipartUploadResult"
            body = f'<{name}><ETag>"x"</ETag></{name}>'
        self._answer(200, body.encode())

    def do_GET(self) -> None:
        key, query = self._target()
        if "list-type" in query:
            self._answer(200, self._listing(query.get("prefix", "")))
        elif key in self.bucket.objects:
            data = self.bucket.objects[key]
            self._answer(
                200,
                data[::-1] if self.bucket.changes_bytes else data,
                ETag='"x"',
                Last_Modified=f"{self.bucket.modified[key]:%a, %d %b %Y %H:%M:%S GMT}",
            )
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    do_HEAD = do_GET  # noqa: N815 - as the base asks for it

    def do_DELETE(self) -> None:
        key, query = self._target()
        if "uploadId" in query:
            self.bucket.uploads.pop(query["uploadId"], None)
        self.bucket.objects.pop(key, None)
        self._answer(204)

    def _listing(self, prefix: str) -> bytes:
        entries = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(data)}</Size><ETag>x</ETag>"
            f"<LastModified>{self.bucket.modified[key].isoformat()}</LastModified></Contents>"
            for key, data in sorted(self.bucket.objects.items())
            if key.startswith(prefix)
        )
        return (
            f"<ListBucketResult><KeyCount>{entries.count('<Key>')}</KeyCount>"
            f"<IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        ).encode()


@contextmanager
def running_s3() -> Iterator[tuple[str, Bucket]]:
    """Yield the server's URL and its bucket."""
    bucket = Bucket()
    handler = type("Handler", (Handler,), {"bucket": bucket})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bucket
    finally:
        bucket.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def environment_of(url: str) -> dict[str, str]:
    """Return the environment variables that point to the server."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
    }
